//! The processes of the benchmark: proxies under measurement and the upstream.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use harmony_tests::{Workdir, free_port};
use http::StatusCode;
use tokio::time::Instant;

use crate::Outcome;
use crate::connection::{Connection, GetRequest};
use crate::cpus::{Cpus, Place};

/// The time a process has until its first response. Generous: a run that reaches it fails.
const TIMEOUT: Duration = Duration::from_secs(20);

/// The unit of CPU time in /proc: USER_HZ, which is 100 on Linux.
const TICKS_PER_SECOND: f64 = 100.0;

/// CPU time, in seconds.
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

/// A process under measurement, or its upstream. Killed on drop.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) address: SocketAddr,
    child: Child,
    started: Instant,
    /// The configuration, if the process has one, and the file with its stderr.
    files: Arc<Workdir>,
    stop: Stop,
}

/// The way in which a process is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    Kill,
    /// With SIGTERM: a program that has child processes ends them then, and leaves them behind when it is killed.
    Terminate,
}

impl Process {
    /// Starts the server behind the proxies, on the CPUs of the load.
    pub(crate) fn upstream() -> Self {
        let address = loopback(free_port());
        let mut command = own_binary();
        command.arg("upstream").arg("--listen").arg(address.to_string());
        Self::start(command, address, Workdir::new(), Place::Load)
    }

    /// Starts the minimal proxy, the baseline.
    pub(crate) fn smallest_proxy(cpus: &Cpus, upstream: SocketAddr) -> Self {
        let address = loopback(free_port());
        let mut command = own_binary();
        command.arg("smallest-proxy").arg("--listen").arg(address.to_string());
        command.arg("--upstream").arg(upstream.to_string());
        Self::start(command, address, Workdir::new(), Place::Proxy(cpus))
    }

    /// Starts harmony-host with the configuration in `files`, which listens on `port`.
    pub(crate) fn harmony(cpus: &Cpus, files: impl Into<Arc<Workdir>>, port: u16) -> Self {
        Self::harmony_at(Place::Proxy(cpus), files, port)
    }

    /// Starts harmony-host with more arguments, in the directory of its configuration.
    pub(crate) fn harmony_with(
        cpus: &Cpus,
        files: impl Into<Arc<Workdir>>,
        port: u16,
        arguments: &[&str],
    ) -> Self {
        let files = files.into();
        let mut command = harmony(&files);
        command.args(arguments).current_dir(files.path());
        Self::start(command, loopback(port), files, Place::Proxy(cpus))
    }

    /// Starts harmony-host at `place` with the configuration in `files`, which listens on `port`.
    pub(crate) fn harmony_at(place: Place<'_>, files: impl Into<Arc<Workdir>>, port: u16) -> Self {
        let files = files.into();
        Self::start(harmony(&files), loopback(port), files, place)
    }

    /// Starts a server of others, which listens on `port` and ends its own children on SIGTERM.
    pub(crate) fn foreign(command: Command, place: Place<'_>, files: Workdir, port: u16) -> Self {
        let mut process = Self::start(command, loopback(port), files, place);
        process.stop = Stop::Terminate;
        process
    }

    /// Starts harmony-host with a machine token of its control plane.
    pub(crate) fn harmony_authorized(
        cpus: &Cpus,
        files: &Arc<Workdir>,
        port: u16,
        machine_token: &str,
    ) -> Self {
        let mut command = harmony(files);
        command.env("RUNBEAM_MACHINE_TOKEN", machine_token);
        Self::start(command, loopback(port), Arc::clone(files), Place::Proxy(cpus))
    }

    /// Starts a process at `place`.
    fn start(
        mut command: Command,
        address: SocketAddr,
        files: impl Into<Arc<Workdir>>,
        place: Place<'_>,
    ) -> Self {
        let files = files.into();
        let log = File::create(files.path().join("stderr")).expect("a log file");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let spawn = || (Instant::now(), command.spawn().expect("the binary runs"));
        let (started, child) = Cpus::run_at(place, spawn);
        Self { address, child, started, files, stop: Stop::Kill }
    }

    /// The configuration.
    pub(crate) fn files(&self) -> &Workdir {
        &self.files
    }

    /// Connects until the first response and returns the time from the process's start to it.
    ///
    /// # Errors
    /// Fails if the response is not 200, or if the process exits or takes too long.
    pub(crate) async fn wait_until_serving(&mut self, request: &GetRequest) -> Outcome<Duration> {
        loop {
            if let Ok(mut connection) = Connection::open(self.address).await {
                let answer = connection.get(request).await?;
                let elapsed = self.started.elapsed();
                return match answer.status() {
                    StatusCode::OK => Ok(elapsed),
                    other => Err(format!("the first response was {other}; {}", self.log())),
                };
            }
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(format!("a process exited with {status}; {}", self.log()));
            }
            if self.started.elapsed() > TIMEOUT {
                return Err(format!("no response within {TIMEOUT:?}; {}", self.log()));
            }
            tokio::task::yield_now().await;
        }
    }

    pub(crate) fn log(&self) -> String {
        format!("its stderr:\n{}", self.files.read("stderr"))
    }

    /// The id of the process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The CPU time so far, without that of child processes.
    pub(crate) fn cpu_time(&self) -> CpuTime {
        cpu_time(self.id())
    }

    /// A size in /proc/PID/status, such as `VmRSS`, in KiB.
    pub(crate) fn memory(&self, field: &str) -> f64 {
        memory(self.id(), field)
    }
}

/// Returns the CPU time of a process so far.
pub(crate) fn cpu_time(id: u32) -> CpuTime {
    let path = format!("/proc/{id}/stat");
    let stat = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
    // The second field is the name in brackets, which may contain blanks. Fields 14 and 15 are utime and stime.
    let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let mut ticks = after_name.split_whitespace().skip(11).map(|ticks| ticks.parse::<f64>());
    let mut seconds = || ticks.next().and_then(Result::ok).expect("a number") / TICKS_PER_SECOND;
    CpuTime { user: seconds(), system: seconds() }
}

/// Returns a size in /proc/PID/status, such as `VmRSS`, in KiB.
pub(crate) fn memory(id: u32, field: &str) -> f64 {
    let path = format!("/proc/{id}/status");
    let status = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
    let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    let number = line.and_then(|line| line.split_whitespace().next()).expect("the field is there");
    number.parse().expect("a number")
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = match self.stop {
            Stop::Kill => self.child.kill(),
            Stop::Terminate => Command::new("kill").arg(self.id().to_string()).status().map(drop),
        };
        let _ = self.child.wait();
    }
}

fn harmony(files: &Workdir) -> Command {
    let mut command = Command::new(harmony_tests::binary());
    command.arg("run").arg("--config").arg(files.config());
    command.env_remove("RUST_LOG").env("HOME", files.path());
    command
}

fn own_binary() -> Command {
    Command::new(std::env::current_exe().expect("this program has a path"))
}

/// Returns the address of `port` on the loopback interface.
pub(crate) fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}
