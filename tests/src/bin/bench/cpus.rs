//! Assigning CPUs to the proxy under measurement and to the load.

use std::fs;
use std::process::{Command, Stdio};

/// The CPU of the proxy under measurement, and the CPUs shared by everything else.
#[derive(Debug)]
pub(crate) struct Cpus {
    all: String,
    proxy: String,
    others: String,
    /// True if processes can be pinned.
    pinned: bool,
}

/// The CPUs on which a process runs.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Place<'a> {
    /// The CPUs of the load.
    Load,
    /// The CPU of the proxy under measurement.
    Proxy(&'a Cpus),
    /// The CPU of the proxy and one of those of the load.
    TwoCpus(&'a Cpus),
}

impl Cpus {
    /// Assigns the first CPU to the proxy and pins this process and its future children to the others.
    pub(crate) fn split() -> Self {
        let allowed = allowed();
        let (proxy, others) = match allowed.split_first() {
            Some((first, [])) => (first.to_string(), first.to_string()),
            Some((first, rest)) => (first.to_string(), listed(rest)),
            None => ("0".to_owned(), "0".to_owned()),
        };
        let pinned = pin_to(&others);
        Self { all: listed(&allowed), proxy, others, pinned }
    }

    /// Removes the pinning of this process and its future children.
    pub(crate) fn shared(self) -> Self {
        if self.pinned {
            pin_to(&self.all);
        }
        Self { pinned: false, ..self }
    }

    /// Returns true if the proxy can have a second CPU, which it then shares with the load.
    pub(crate) fn has_two(&self) -> bool {
        self.pinned && self.proxy != self.others
    }

    /// Runs `start` at `place`. Processes that it starts stay there.
    pub(crate) fn run_at<T>(place: Place<'_>, start: impl FnOnce() -> T) -> T {
        match place {
            Place::Load => start(),
            Place::Proxy(cpus) => cpus.run_on(&cpus.proxy, start),
            Place::TwoCpus(cpus) => {
                let second = cpus.others.split(',').next().unwrap_or_default();
                cpus.run_on(&format!("{},{second}", cpus.proxy), start)
            }
        }
    }

    /// Runs `start` on the CPUs in `list`.
    ///
    /// This process moves itself, because a command that begins with `taskset` would include it in the start time.
    fn run_on<T>(&self, list: &str, start: impl FnOnce() -> T) -> T {
        if !self.pinned {
            return start();
        }
        pin_to(list);
        let started = start();
        pin_to(&self.others);
        started
    }

    /// Describes the assignment for people.
    pub(crate) fn describe(&self) -> String {
        let Self { proxy, others, pinned, .. } = self;
        match (pinned, proxy == others) {
            (false, _) => "not pinned, since taskset is missing: all processes share all CPUs".to_owned(),
            (true, true) => format!("proxy, load and upstream share CPU {proxy}, the only one"),
            (true, false) => format!("the proxy runs on CPU {proxy}, load and upstream on {others}"),
        }
    }
}

/// Pins this process, which has one thread. Returns false if that fails.
fn pin_to(cpus: &str) -> bool {
    let mut taskset = Command::new("taskset");
    taskset.args(["-c", "-p", cpus, &std::process::id().to_string()]);
    taskset.stdout(Stdio::null()).stderr(Stdio::null());
    taskset.status().is_ok_and(|status| status.success())
}

/// The CPUs that this process may use.
fn allowed() -> Vec<usize> {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap_or_default();
    list.trim().split(',').filter_map(range).flatten().collect()
}

/// Parses `3` or `0-3`.
fn range(text: &str) -> Option<std::ops::RangeInclusive<usize>> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    Some(first.parse().ok()?..=last.parse().ok()?)
}

fn listed(cpus: &[usize]) -> String {
    cpus.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_lists_have_numbers_and_ranges() {
        assert_eq!(range("3"), Some(3..=3));
        assert_eq!(range("0-3"), Some(0..=3));
        assert_eq!(range(""), None);
        assert_eq!(listed(&[1, 2, 5]), "1,2,5");
    }
}
