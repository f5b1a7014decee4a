//! The process of the gateway: few descriptors, and a stderr that takes nothing.

use std::fmt;
use std::fs;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::process::{Child, ChildStderr, Command};

/// The number of descriptors that the process may have.
pub(super) const DESCRIPTORS: usize = 512;

/// The time that requests in flight have when the process is told to stop, in seconds.
pub(super) const DRAIN_SECONDS: u64 = 5;

/// The fate of what the gateway writes to stderr.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stderr {
    /// The reader has closed the pipe.
    Closed,
    /// The reader does not read, so that the pipe is full after 64 KiB.
    Unread,
}

impl fmt::Display for Stderr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Closed => "stderr closed",
            Self::Unread => "stderr that nobody reads",
        })
    }
}

/// The resources of the process at one moment.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Usage {
    pub(super) kib: u64,
    pub(super) descriptors: usize,
}

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} MiB, {} descriptors", self.kib / 1024, self.descriptors)
    }
}

/// A running gateway. Killed on drop.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    pid: u32,
    /// The open end of the pipe that nobody reads.
    _unread: Option<ChildStderr>,
}

impl Process {
    /// Starts `program` on `config`.
    pub(super) fn start(program: &Path, config: &Path, token: &str, stderr: Stderr) -> Self {
        let script = format!("ulimit -n {DESCRIPTORS}; exec \"$0\" \"$@\"");
        let mut child = Command::new("sh")
            .args(["-c", &script])
            .arg(program)
            .arg("run")
            .arg("--config")
            .arg(config)
            .args(["--drain-secs", &DRAIN_SECONDS.to_string()])
            .current_dir(config.parent().unwrap_or(config))
            .env_remove("RUST_LOG")
            .env("HOME", config.parent().unwrap_or(config))
            .env("RUNBEAM_MACHINE_TOKEN", token)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the gateway's binary runs");
        let pipe = child.stderr.take();
        let pid = child.id().expect("the process is running");
        Self { child, pid, _unread: pipe.filter(|_| matches!(stderr, Stderr::Unread)) }
    }

    /// Returns the exit status if the process has ended.
    pub(super) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Sends SIGTERM, and waits for the end, at most for `limit`.
    pub(super) async fn terminate(&mut self, limit: Duration) -> Option<ExitStatus> {
        let sent = Command::new("kill").arg("-TERM").arg(self.pid.to_string()).status().await;
        assert!(sent.expect("kill runs").success(), "SIGTERM was not sent");
        tokio::time::timeout(limit, self.child.wait()).await.ok()?.ok()
    }

    /// Returns the resources that the process uses now.
    pub(super) fn usage(&self) -> Usage {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid)).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|text| text.split_whitespace().next()?.parse().ok()).unwrap_or(0);
        let descriptors = fs::read_dir(format!("/proc/{}/fd", self.pid)).map_or(0, Iterator::count);
        Usage { kib, descriptors }
    }
}
