//! A process with its descendants, such as the workers of nginx.

use std::fs;

use crate::process::{CpuTime, cpu_time, memory};

/// A process and the descendants that it had when this was made.
#[derive(Debug)]
pub(crate) struct ProcessTree(Vec<u32>);

impl ProcessTree {
    /// Finds the descendants of process `root`.
    pub(crate) fn of(root: u32) -> Self {
        let parents = parents();
        let mut members = vec![root];
        let mut next = 0;
        while let Some(parent) = members.get(next).copied() {
            members.extend(parents.iter().filter(|(_, of)| *of == parent).map(|(id, _)| id));
            next += 1;
        }
        Self(members)
    }

    /// The CPU time of all of them so far.
    pub(crate) fn cpu_time(&self) -> CpuTime {
        let none = CpuTime { user: 0.0, system: 0.0 };
        self.0
            .iter()
            .map(|id| cpu_time(*id))
            .fold(none, |sum, time| CpuTime { user: sum.user + time.user, system: sum.system + time.system })
    }

    /// The resident memory of all of them, in KiB. Pages that they share count for each.
    pub(crate) fn resident_kib(&self) -> f64 {
        self.0.iter().map(|id| memory(*id, "VmRSS")).sum()
    }

    /// The ids, separated by commas.
    pub(crate) fn listed(&self) -> String {
        self.0.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
    }
}

/// Returns the id of each process with that of its parent. Not every kernel has /proc/PID/task/TID/children.
fn parents() -> Vec<(u32, u32)> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    ids.filter_map(|id: u32| Some((id, parent(&fs::read_to_string(format!("/proc/{id}/stat")).ok()?)?)))
        .collect()
}

/// Returns the parent in the text of /proc/PID/stat: the second field after the name in brackets.
fn parent(stat: &str) -> Option<u32> {
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_may_have_blanks_and_brackets() {
        assert_eq!(parent("7 (a) b (c)) S 42 7 7"), Some(42));
        assert_eq!(parent(""), None);
    }

    #[test]
    fn children_are_members() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().expect("sleep runs");
        let tree = ProcessTree::of(std::process::id());
        let _ = child.kill();
        let _ = child.wait();
        assert_eq!(tree.0[0], std::process::id());
        assert!(tree.0.contains(&child.id()), "{tree:?} has no {}", child.id());
    }
}
