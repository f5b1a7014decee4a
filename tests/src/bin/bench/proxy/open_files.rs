//! The number of files that this process and its children may open.

use std::fs;
use std::process::{Command, Stdio};

/// The number that the largest scenario needs, with room: its connections count twice in a proxy.
const NEEDED: u64 = 8192;

/// Raises the limit of open files as far as necessary and allowed. Where that fails, connections fail with an error.
pub(super) fn raise() {
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let Some((soft, hard)) = limits.lines().find_map(parse) else { return };
    if soft < NEEDED {
        let mut prlimit = Command::new("prlimit");
        prlimit.args(["--pid", &std::process::id().to_string(), &format!("--nofile={}:", NEEDED.min(hard))]);
        let _ = prlimit.stdin(Stdio::null()).stderr(Stdio::null()).status();
    }
}

/// Returns the soft and the hard limit, if the line of /proc/PID/limits has them.
fn parse(line: &str) -> Option<(u64, u64)> {
    let mut numbers = line.strip_prefix("Max open files")?.split_whitespace();
    let mut next = || numbers.next().map(|text| text.parse().unwrap_or(u64::MAX));
    Some((next()?, next()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_numbers_or_unlimited() {
        assert_eq!(
            parse("Max open files            1024                 4096      files"),
            Some((1024, 4096))
        );
        assert_eq!(
            parse("Max open files            1024                 unlimited files"),
            Some((1024, u64::MAX))
        );
        assert_eq!(parse("Max processes             1024                 4096      processes"), None);
    }
}
