//! A process of the gateway in a crash test, from its start to its exit.

use std::time::Duration;

use serde_json::Value;
use tokio::process::Command;
use tokio::time::Instant;

use super::kill::Kill;
use crate::{Gateway, Mount, Workdir, client, faulty_binary};

/// The limit of every wait. Generous: a run that reaches it fails.
const LIMIT: Duration = Duration::from_secs(40);

/// A running gateway process and the port of its management API.
#[derive(Debug)]
pub(super) struct GatewayRun {
    gateway: Gateway,
    admin: u16,
}

impl GatewayRun {
    /// Starts a gateway on the configuration in `dir` with its state in `home`.
    pub(super) fn start(
        (dir, home): (&Workdir, &Workdir),
        mount: Mount,
        admin: u16,
        token: &str,
        kill: Option<Kill>,
    ) -> Self {
        let at = |name: &str| home.path().join(name).display().to_string();
        if let Some(fault) = mount.simulated(dir.path()) {
            home.write("disk-fault", &fault);
        }
        let failpoints = kill.map_or_else(String::new, Kill::failpoints);
        let environment = [
            ("RUNBEAM_MACHINE_TOKEN", token),
            ("HOME", &*at("")),
            ("HARMONY_DISK_FAULT", &*at("disk-fault")),
            ("FAILPOINTS", &*failpoints),
        ];
        let environment = if kill.is_some() { &environment[..] } else { &environment[..3] };
        let program = faulty_binary();
        let command = mount.command(&program, dir.path());
        let mut command = command.unwrap_or_else(|| Command::new(&program));
        command.arg("run").arg("--config").arg(dir.config()).args(["--drain-secs", "1"]);
        Self { gateway: Gateway::spawn_command(command, &dir.config(), environment), admin }
    }

    /// Waits until the failpoint aborts the process. Fails if `over` completes first, or if the process exits
    /// otherwise.
    pub(super) async fn until_killed(&mut self, over: impl Future<Output = ()>) -> Result<(), String> {
        use std::os::unix::process::ExitStatusExt as _;
        const ABORT: i32 = 6;
        tokio::select! {
            status = self.gateway.wait_for_exit() => match status.signal() {
                Some(ABORT) => Ok(()),
                _ => Err(format!("the gateway exited without reaching the failpoint: {status}")),
            },
            () = over => Err("the failpoint was not reached".to_owned()),
        }
    }

    /// Polls `check` until it succeeds. Fails with its last error after the limit, or if the process exits.
    pub(super) async fn wait_until<F>(
        &mut self,
        what: &str,
        mut check: impl FnMut() -> F,
    ) -> Result<(), String>
    where
        F: Future<Output = Result<(), String>>,
    {
        let end = Instant::now() + LIMIT;
        loop {
            match check().await {
                Ok(()) => return Ok(()),
                Err(_) if !self.gateway.is_running() => return Err(format!("{what}: the gateway exited")),
                Err(last) if Instant::now() > end => {
                    return Err(format!("{what}: not within {LIMIT:?}, last: {last}"));
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    }

    /// Sends a GET request to a path of the management API.
    pub(super) async fn management(admin: u16, path: &str) -> Result<Value, String> {
        let url = format!("http://127.0.0.1:{admin}/admin/{path}");
        let answer = client().get(&url).send().await.map_err(|error| format!("{url}: {error}"))?;
        answer.json().await.map_err(|error| format!("{url}: {error}"))
    }

    /// Stops the process with SIGTERM, as an operator does.
    pub(super) async fn stop(&mut self) -> Result<(), String> {
        self.gateway.signal("TERM").await;
        let exited = tokio::time::timeout(LIMIT, self.gateway.wait_for_exit()).await;
        match exited.map(|status| status.code()) {
            Ok(Some(0)) => Ok(()),
            other => Err(format!("the gateway exited with {other:?} after SIGTERM")),
        }
    }

    pub(super) fn admin(&self) -> u16 {
        self.admin
    }

    pub(super) fn log(&self) -> String {
        self.gateway.log()
    }
}
