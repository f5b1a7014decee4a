//! A gateway as a child process.

use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;

use crate::{binary, eventually};

/// The child process of a gateway, with its log: the real binary on real files. Killed on drop.
#[derive(Debug)]
pub struct Gateway {
    child: Child,
    log: Arc<Mutex<Vec<String>>>,
    reading: JoinHandle<()>,
}

impl Gateway {
    /// Starts `harmony-host` and waits until it is ready.
    ///
    /// # Panics
    /// Panics with its log if that takes too long.
    pub async fn start(config: &Path) -> Self {
        let mut gateway = Self::spawn(config, &[]);
        gateway.wait_until_ready().await;
        gateway
    }

    /// Starts `harmony-host` with more arguments. Does not wait.
    ///
    /// # Panics
    /// Panics if the binary cannot be run.
    pub fn spawn(config: &Path, arguments: &[&str]) -> Self {
        Self::spawn_program(&binary(), config, arguments, &[])
    }

    /// Starts a gateway program with more arguments and environment variables, in the directory of its configuration.
    /// Does not wait.
    ///
    /// # Panics
    /// Panics if it cannot be run.
    pub fn spawn_program(
        program: &Path,
        config: &Path,
        arguments: &[&str],
        environment: &[(&str, &str)],
    ) -> Self {
        let mut command = Command::new(program);
        command.arg("run").arg("--config").arg(config).args(arguments);
        Self::spawn_command(command, config, environment)
    }

    /// Starts a program with its own command line, in the directory of its configuration. Does not wait.
    ///
    /// # Panics
    /// Panics if it cannot be run.
    pub fn spawn_command(command: Command, config: &Path, environment: &[(&str, &str)]) -> Self {
        Self::spawn_logging_to(Stdio::piped(), command, config, environment)
    }

    /// Starts a program as [`spawn_command`](Self::spawn_command) does, with its standard error on `stderr`. Unless that
    /// is a new pipe, [`log`](Self::log) stays empty.
    ///
    /// # Panics
    /// Panics if it cannot be run.
    pub fn spawn_logging_to(
        stderr: Stdio,
        mut command: Command,
        config: &Path,
        environment: &[(&str, &str)],
    ) -> Self {
        let mut child = command
            .current_dir(config.parent().unwrap_or(config))
            .env_remove("RUST_LOG")
            .env("HOME", config.parent().unwrap_or(config))
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(stderr)
            .kill_on_drop(true)
            .spawn()
            .expect("the gateway's binary runs");
        let log = Arc::new(Mutex::new(Vec::new()));
        let (lines, stderr) = (Arc::clone(&log), child.stderr.take());
        let reading = tokio::spawn(async move {
            let Some(stderr) = stderr else { return };
            let mut reader = BufReader::new(stderr).lines();
            while let Ok(Some(line)) = reader.next_line().await {
                lines.lock().expect("no panic").push(line);
            }
        });
        Self { child, log, reading }
    }

    /// Waits until the log contains `ready`.
    ///
    /// # Panics
    /// Panics with the log if that takes too long.
    pub async fn wait_until_ready(&mut self) {
        self.wait_for_log("ready").await;
    }

    /// Waits until the log contains `text`.
    ///
    /// # Panics
    /// Panics with the log if that takes too long.
    pub async fn wait_for_log(&self, text: &str) {
        eventually(&format!("the log contains {text:?}"), || async {
            let log = self.log();
            if log.contains(text) { Ok(()) } else { Err(log) }
        })
        .await;
    }

    /// The log so far.
    ///
    /// # Panics
    /// Never.
    pub fn log(&self) -> String {
        self.log.lock().expect("no panic").join("\n")
    }

    /// The process id.
    ///
    /// # Panics
    /// Panics if the process has exited.
    pub fn pid(&self) -> u32 {
        self.child.id().expect("the process is running")
    }

    /// Sends a signal by its name, such as `TERM`.
    ///
    /// # Panics
    /// Panics if that fails.
    pub async fn signal(&self, name: &str) {
        let sent = Command::new("kill").arg(format!("-{name}")).arg(self.pid().to_string()).status().await;
        assert!(sent.expect("kill runs").success(), "the signal {name} was not sent");
    }

    /// Waits until the process has exited and its log is complete. Cancel safe.
    ///
    /// # Panics
    /// Never.
    pub async fn wait_for_exit(&mut self) -> ExitStatus {
        let status = self.child.wait().await.expect("the exit status");
        if !self.reading.is_finished() {
            let _ = (&mut self.reading).await;
        }
        status
    }

    /// Returns true if the process has not exited.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().is_ok_and(|status| status.is_none())
    }

    /// Waits until the process has exited and returns its exit code.
    ///
    /// # Panics
    /// Panics if a signal terminated the process.
    pub async fn exit_code(&mut self) -> i32 {
        let status = self.wait_for_exit().await;
        status.code().unwrap_or_else(|| panic!("terminated by a signal: {status}"))
    }

    /// Sends a GET request to a path of the management API on `port` and returns the JSON.
    ///
    /// # Panics
    /// Panics if there is no response, or if it is not JSON.
    pub async fn management(port: u16, path: &str) -> Value {
        let url = format!("http://127.0.0.1:{port}/admin/{path}");
        crate::get(&url).await.unwrap_or_else(|e| panic!("{url}: {e}")).json().await.expect("JSON")
    }
}
