use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;

use crate::{binary, eventually};

/// A gateway as a process of its own: the real binary on real files. Killed when dropped.
#[derive(Debug)]
pub struct Gateway {
    child: Child,
    log: Arc<Mutex<Vec<String>>>,
    reading: JoinHandle<()>,
}

impl Gateway {
    /// Starts one and waits until it says that it is ready.
    ///
    /// # Panics
    /// With its log, when it does not get there.
    pub async fn start(config: &Path) -> Self {
        let mut gateway = Self::spawn(config, &[]);
        gateway.until_ready().await;
        gateway
    }

    /// Starts one with more arguments; does not wait.
    ///
    /// # Panics
    /// When the binary cannot be run.
    pub fn spawn(config: &Path, arguments: &[&str]) -> Self {
        Self::spawn_as(&binary(), config, arguments, &[])
    }

    /// Starts a gateway's program with more arguments and an environment of its own, in the directory of its
    /// configuration; does not wait.
    ///
    /// # Panics
    /// When it cannot be run.
    pub fn spawn_as(program: &Path, config: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let mut command = Command::new(program);
        command.arg("run").arg("--config").arg(config).args(arguments);
        Self::spawn_command(command, config, environment)
    }

    /// Starts a program with a command line of its own, in the directory of its configuration; does not wait.
    ///
    /// # Panics
    /// When it cannot be run.
    pub fn spawn_command(mut command: Command, config: &Path, environment: &[(&str, &str)]) -> Self {
        let mut child = command
            .current_dir(config.parent().unwrap_or(config))
            .env_remove("RUST_LOG")
            .env("HOME", config.parent().unwrap_or(config))
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the gateway's binary runs");
        let log = Arc::new(Mutex::new(Vec::new()));
        let (lines, stderr) = (Arc::clone(&log), child.stderr.take().expect("piped"));
        let reading = tokio::spawn(async move {
            let mut reader = BufReader::new(stderr).lines();
            while let Ok(Some(line)) = reader.next_line().await {
                lines.lock().expect("no panic").push(line);
            }
        });
        Self { child, log, reading }
    }

    /// Waits until the log says ready.
    ///
    /// # Panics
    /// With the log, when the process ends or takes too long.
    pub async fn until_ready(&mut self) {
        self.until_logged("ready").await;
    }

    /// Waits until a line of the log has `text` in it.
    ///
    /// # Panics
    /// With the log, when that takes too long.
    pub async fn until_logged(&self, text: &str) {
        eventually(&format!("the log says {text:?}"), || async {
            let log = self.log();
            if log.contains(text) { Ok(()) } else { Err(log) }
        })
        .await;
    }

    /// Everything it logged so far.
    ///
    /// # Panics
    /// Never.
    pub fn log(&self) -> String {
        self.log.lock().expect("no panic").join("\n")
    }

    /// The process id.
    ///
    /// # Panics
    /// When it has ended.
    pub fn pid(&self) -> u32 {
        self.child.id().expect("it is running")
    }

    /// Sends a signal by its name, such as `TERM`.
    ///
    /// # Panics
    /// When that fails.
    pub async fn signal(&self, name: &str) {
        let sent = Command::new("kill").arg(format!("-{name}")).arg(self.pid().to_string()).status().await;
        assert!(sent.expect("kill runs").success(), "the signal {name} was not sent");
    }

    /// Waits for its end, however it comes, and for the last line of its log. Cancel safe.
    ///
    /// # Panics
    /// Never.
    pub async fn ended(&mut self) -> ExitStatus {
        let status = self.child.wait().await.expect("it can be waited for");
        if !self.reading.is_finished() {
            let _ = (&mut self.reading).await;
        }
        status
    }

    /// Whether it runs.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().is_ok_and(|ended| ended.is_none())
    }

    /// Waits for its end and gives the exit code.
    ///
    /// # Panics
    /// When a signal ended it.
    pub async fn exit_code(&mut self) -> i32 {
        let status = self.ended().await;
        status.code().unwrap_or_else(|| panic!("ended by a signal: {status}"))
    }

    /// GET of a management path on `port`, as JSON.
    ///
    /// # Panics
    /// When it does not answer with JSON.
    pub async fn management(port: u16, path: &str) -> Value {
        let url = format!("http://127.0.0.1:{port}/admin/{path}");
        crate::get(&url).await.unwrap_or_else(|e| panic!("{url}: {e}")).json().await.expect("JSON")
    }
}
