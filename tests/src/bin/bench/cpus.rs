use std::fs;
use std::process::{Command, Stdio};

/// Which CPU the proxy under measurement has, and which everything else shares.
#[derive(Debug)]
pub(crate) struct Cpus {
    all: String,
    proxy: String,
    others: String,
    /// Whether processes can be kept where they belong.
    pinned: bool,
}

impl Cpus {
    /// Gives the first CPU to the proxy and moves this process to the others, in which its children follow.
    pub(crate) fn divide() -> Self {
        let allowed = allowed();
        let (proxy, others) = match allowed.split_first() {
            Some((first, [])) => (first.to_string(), first.to_string()),
            Some((first, rest)) => (first.to_string(), listed(rest)),
            None => ("0".to_owned(), "0".to_owned()),
        };
        let pinned = move_to(&others);
        Self { all: listed(&allowed), proxy, others, pinned }
    }

    /// The same CPUs shared by all: this process and what it starts from now on run where they like.
    pub(crate) fn shared(self) -> Self {
        if self.pinned {
            move_to(&self.all);
        }
        Self { pinned: false, ..self }
    }

    /// Runs `start` on the proxy's CPU. What it starts stays there.
    ///
    /// The process moves itself instead of putting `taskset` before the command, which would be measured
    /// with a start.
    pub(crate) fn as_proxy<T>(&self, start: impl FnOnce() -> T) -> T {
        if !self.pinned {
            return start();
        }
        move_to(&self.proxy);
        let started = start();
        move_to(&self.others);
        started
    }

    /// Who has which CPU, for people.
    pub(crate) fn describe(&self) -> String {
        let Self { proxy, others, pinned, .. } = self;
        match (pinned, proxy == others) {
            (false, _) => "not pinned: there is no taskset, so all share all CPUs".to_owned(),
            (true, true) => format!("there is only CPU {proxy}: proxy, load and upstream share it"),
            (true, false) => format!("the proxy has CPU {proxy}; load and upstream have CPU {others}"),
        }
    }
}

/// Moves this process, which has one thread. Says whether that worked.
fn move_to(cpus: &str) -> bool {
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

/// `3` or `0-3`
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
    fn a_list_of_cpus_has_numbers_and_ranges() {
        assert_eq!(range("3"), Some(3..=3));
        assert_eq!(range("0-3"), Some(0..=3));
        assert_eq!(range(""), None);
        assert_eq!(listed(&[1, 2, 5]), "1,2,5");
    }
}
