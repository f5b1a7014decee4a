use std::fs::{self, File};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use harmony_tests::{Workdir, free_port};
use http::StatusCode;
use tokio::time::Instant;

use crate::Outcome;
use crate::connection::{Ask, Connection};
use crate::cpus::Cpus;

/// How long a process may take until it answers. Far longer than it should.
const PATIENCE: Duration = Duration::from_secs(20);

/// In which unit Linux tells the CPU time of a process, whatever its own clock does.
const TICKS_PER_SECOND: f64 = 100.0;

/// Time on a CPU, in seconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CpuTime {
    pub(crate) user: f64,
    pub(crate) system: f64,
}

impl CpuTime {
    pub(crate) fn total(self) -> f64 {
        self.user + self.system
    }
}

impl std::ops::Sub for CpuTime {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self { user: self.user - earlier.user, system: self.system - earlier.system }
    }
}

/// A process under measurement, or one that it needs. Ended when dropped.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) address: SocketAddr,
    child: Child,
    started: Instant,
    /// Its configuration, when it has one, and what it said.
    files: Arc<Workdir>,
}

impl Process {
    /// The server behind the proxies. It shares the CPU of the load.
    pub(crate) fn upstream() -> Self {
        let address = loopback(free_port());
        let mut command = itself();
        command.arg("upstream").arg("--listen").arg(address.to_string());
        Self::start(command, address, Workdir::new(), None)
    }

    /// The proxy that everything is compared with.
    pub(crate) fn smallest_proxy(cpus: &Cpus, upstream: SocketAddr) -> Self {
        let address = loopback(free_port());
        let mut command = itself();
        command.arg("smallest-proxy").arg("--listen").arg(address.to_string());
        command.arg("--upstream").arg(upstream.to_string());
        Self::start(command, address, Workdir::new(), Some(cpus))
    }

    /// harmony-host with the configuration in `files`, which listens on `port`.
    pub(crate) fn harmony(cpus: &Cpus, files: impl Into<Arc<Workdir>>, port: u16) -> Self {
        let files = files.into();
        Self::start(harmony(&files), loopback(port), files, Some(cpus))
    }

    /// The same, authorized at its control plane.
    pub(crate) fn authorized(cpus: &Cpus, files: &Arc<Workdir>, port: u16, machine_token: &str) -> Self {
        let mut command = harmony(files);
        command.env("RUNBEAM_MACHINE_TOKEN", machine_token);
        Self::start(command, loopback(port), Arc::clone(files), Some(cpus))
    }

    /// Starts it on the proxy's CPU, or where this process is.
    fn start(
        mut command: Command,
        address: SocketAddr,
        files: impl Into<Arc<Workdir>>,
        cpus: Option<&Cpus>,
    ) -> Self {
        let files = files.into();
        let log = File::create(files.path().join("stderr")).expect("a log file");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let mut spawn = || (Instant::now(), command.spawn().expect("the binary runs"));
        let (started, child) = match cpus {
            Some(cpus) => cpus.as_proxy(spawn),
            None => spawn(),
        };
        Self { address, child, started, files }
    }

    /// Its configuration.
    pub(crate) fn files(&self) -> &Workdir {
        &self.files
    }

    /// Asks until the first answer and says how long after its start that came.
    ///
    /// # Errors
    /// When that is not a 200, or the process ends or takes too long.
    pub(crate) async fn until_answering(&mut self, ask: &Ask) -> Outcome<Duration> {
        loop {
            if let Ok(mut connection) = Connection::open(self.address).await {
                let answer = connection.get(ask).await?;
                let took = self.started.elapsed();
                return match answer.status() {
                    StatusCode::OK => Ok(took),
                    other => Err(format!("the first answer was {other}; {}", self.said())),
                };
            }
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(format!("a process ended, {status}; {}", self.said()));
            }
            if self.started.elapsed() > PATIENCE {
                return Err(format!("no answer within {PATIENCE:?}; {}", self.said()));
            }
            tokio::task::yield_now().await;
        }
    }

    fn said(&self) -> String {
        format!("it said:\n{}", self.files.read("stderr"))
    }

    /// The time it spent on a CPU so far.
    pub(crate) fn cpu_time(&self) -> CpuTime {
        let path = format!("/proc/{}/stat", self.child.id());
        let stat = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
        // The second field is the name, in brackets, and may have blanks. utime and stime are 14 and 15.
        let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
        let mut ticks = after_name.split_whitespace().skip(11).map(|ticks| ticks.parse::<f64>());
        let mut seconds = || ticks.next().and_then(Result::ok).expect("a number") / TICKS_PER_SECOND;
        CpuTime { user: seconds(), system: seconds() }
    }

    /// A size that /proc tells in KiB, such as `VmRSS`, in KiB.
    pub(crate) fn memory(&self, field: &str) -> f64 {
        let path = format!("/proc/{}/status", self.child.id());
        let status = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
        let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        let number = line.and_then(|line| line.split_whitespace().next()).expect("the field is there");
        number.parse().expect("a number")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn harmony(files: &Workdir) -> Command {
    let mut command = Command::new(harmony_tests::binary());
    command.arg("run").arg("--config").arg(files.config());
    command.env_remove("RUST_LOG").env("HOME", files.path());
    command
}

fn itself() -> Command {
    Command::new(std::env::current_exe().expect("this program has a path"))
}

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}
