use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, OnceLock};

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::eventually;

/// A gateway as a process of its own: the real binary on real files. Killed when dropped.
#[derive(Debug)]
pub struct Gateway {
    child: Child,
    log: Arc<Mutex<Vec<String>>>,
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
        Self::spawn_binary(&binary(), config, arguments)
    }

    /// Starts one that somebody else has built, in the directory of its configuration; does not wait.
    ///
    /// # Panics
    /// When the binary cannot be run.
    pub fn spawn_binary(binary: &Path, config: &Path, arguments: &[&str]) -> Self {
        let mut child = Command::new(binary)
            .current_dir(config.parent().unwrap_or(config))
            .arg("run")
            .arg("--config")
            .arg(config)
            .args(arguments)
            .env_remove("RUST_LOG")
            .env("HOME", config.parent().unwrap_or(config))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the gateway's binary runs");
        let log = Arc::new(Mutex::new(Vec::new()));
        let (lines, stderr) = (Arc::clone(&log), child.stderr.take().expect("piped"));
        tokio::spawn(async move {
            let mut reader = BufReader::new(stderr).lines();
            while let Ok(Some(line)) = reader.next_line().await {
                lines.lock().expect("no panic").push(line);
            }
        });
        Self { child, log }
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

    /// Waits for its end and gives the exit code.
    ///
    /// # Panics
    /// When a signal ended it.
    pub async fn exit_code(&mut self) -> i32 {
        let status = self.child.wait().await.expect("it can be waited for");
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

/// The gateway's binary, built as this test is.
///
/// # Panics
/// When it cannot be built.
pub fn binary() -> PathBuf {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY
        .get_or_init(|| {
            let mut cargo = std::process::Command::new(env!("CARGO"));
            cargo.args(["build", "--quiet", "--workspace", "--bin", "harmony-host"]);
            cargo.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
            if !cfg!(debug_assertions) {
                cargo.arg("--release");
            }
            assert!(cargo.status().expect("cargo runs").success(), "harmony-host cannot be built");
            built("harmony-host")
        })
        .clone()
}

/// Where Cargo puts the binary `name`, when it is built as this test is.
///
/// # Panics
/// When this test is not where Cargo puts tests.
pub fn built(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("this test has a path");
    let profile = test.ancestors().find(|path| path.join("deps").is_dir()).expect("a target directory");
    profile.join(name)
}
