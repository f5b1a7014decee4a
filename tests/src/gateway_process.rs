//! A gateway process that follows a control plane, with a disk that can fail.

use std::fs;

use serde_json::Value;
use tokio::process::Command;

use crate::control_plane::ControlPlane;
use crate::site::on_ports;
use crate::{Gateway, Mount, RUNBEAM_CONFIG, Workdir, eventually, faulty_binary, free_port};

/// A gateway process that polls a control plane every second. Its disk can be made to fail.
///
/// Its state is outside the configuration directory, so that a test can move or remove that directory. Killed on drop.
#[derive(Debug)]
pub struct GatewayProcess {
    /// The port of the network `public`.
    pub port: u16,
    /// The port of the management API.
    pub admin: u16,
    /// The configuration directory.
    pub dir: Workdir,
    /// The home directory, with the state.
    pub home: Workdir,
    /// The child process.
    pub gateway: Gateway,
    token: String,
    mount: Mount,
}

impl GatewayProcess {
    /// Starts a gateway of the team `acme` with the code `edge` and waits until it is ready.
    pub async fn following(cloud: &ControlPlane) -> Self {
        Self::with(cloud, free_port(), "").await
    }

    /// Starts the same gateway on `port`, with more sections in its config.toml.
    pub async fn with(cloud: &ControlPlane, port: u16, sections: &str) -> Self {
        let (dir, mount) = (Workdir::new(), Mount::Writable);
        Self::mounted(cloud, port, sections, dir, mount).await.expect("nothing is mounted")
    }

    /// Starts the same gateway on the other files of `dir`, and sees them through `mount`. `None` if this machine can
    /// neither mount nor simulate that.
    pub async fn mounted(
        cloud: &ControlPlane,
        port: u16,
        sections: &str,
        dir: Workdir,
        mount: Mount,
    ) -> Option<Self> {
        let (admin, home) = (free_port(), Workdir::new());
        let config = RUNBEAM_CONFIG.replace("API", cloud.url()).replace("INTERVAL", "1");
        dir.write("config.toml", &on_ports(&format!("{config}{sections}"), port, admin));
        let token = cloud.authorize("acme", "edge").to_string();
        if let Some(fault) = mount.simulated(dir.path()) {
            home.replace("disk-fault", &fault);
        }
        let mut gateway = spawn(&dir, &home, &token, mount, &[])?;
        gateway.wait_until_ready().await;
        Some(Self { port, admin, dir, home, gateway, token, mount })
    }

    /// Kills the process with SIGKILL, as in a power failure.
    pub async fn kill(&mut self) {
        self.gateway.signal("KILL").await;
        self.gateway.wait_for_exit().await;
    }

    /// Starts a new process on the same files.
    pub async fn restart(&mut self) {
        self.restart_with_failpoints("").await;
    }

    /// Starts a new process that aborts at `points`, in the syntax of `FAILPOINTS`.
    pub async fn restart_with_failpoints(&mut self, points: &str) {
        self.restart_with_environment(&[("FAILPOINTS", points)]).await;
    }

    /// Starts a new process with more environment variables.
    pub async fn restart_with_environment(&mut self, environment: &[(&str, &str)]) {
        let gateway = spawn(&self.dir, &self.home, &self.token, self.mount, environment);
        self.gateway = gateway.expect("the first process was started the same way");
        self.gateway.wait_until_ready().await;
    }

    /// Changes how the next process sees the configuration.
    pub fn remount(&mut self, mount: Mount) {
        self.mount = mount;
        match mount.simulated(self.dir.path()) {
            Some(fault) => self.home.replace("disk-fault", &fault),
            None => drop(fs::remove_file(self.home.path().join("disk-fault"))),
        }
    }

    /// Makes the disk fail: `what` is an errno, optionally followed by a part of the paths that are affected.
    pub fn fail_disk(&self, what: &str) {
        self.home.replace("disk-fault", what);
    }

    /// Ends the failure of the disk.
    pub fn heal_disk(&self) {
        self.home.remove("disk-fault");
    }

    /// A URL of the network `public`.
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// Sends a GET request on the network `public` and returns the status code.
    ///
    /// # Panics
    /// Panics if there is no response.
    pub async fn status_code(&self, path: &str) -> u16 {
        let url = self.url(path);
        crate::get(&url)
            .await
            .unwrap_or_else(|e| panic!("{url}: {e}\n{}", self.gateway.log()))
            .status()
            .as_u16()
    }

    /// Returns the provider status of the management API.
    pub async fn provider_status(&self) -> Value {
        Gateway::management(self.admin, "provider").await
    }

    /// Waits until the gateway is not in sync, for a reason that contains all of `words`. Returns the status.
    ///
    /// # Panics
    /// Panics with the last status if that takes too long.
    pub async fn wait_for_reason(&self, words: &[&str]) -> Value {
        eventually(&format!("a reason with {words:?}"), || async {
            let status = self.provider_status().await;
            let reason = status["reason"].as_str().unwrap_or_default();
            let found = status["in_sync"] == false && words.iter().all(|word| reason.contains(word));
            if found { Ok(status) } else { Err(status.to_string()) }
        })
        .await
    }

    /// Waits until the gateway is in sync.
    ///
    /// # Panics
    /// Panics with the reason if that takes too long.
    pub async fn wait_for_sync(&self) {
        eventually("in sync", || async {
            let status = self.provider_status().await;
            if status["in_sync"] == true { Ok(()) } else { Err(status["reason"].clone()) }
        })
        .await;
    }

    /// Returns true if a saved generation contains `text`. Temporary files do not count.
    pub fn has_saved(&self, text: &str) -> bool {
        let mut todo = vec![self.home.path().to_owned()];
        while let Some(next) = todo.pop() {
            for path in fs::read_dir(next).into_iter().flatten().flatten().map(|entry| entry.path()) {
                if path.is_dir() {
                    todo.push(path);
                } else if path.extension().is_some_and(|extension| extension == "generation")
                    && fs::read_to_string(&path).is_ok_and(|saved| saved.contains(text))
                {
                    return true;
                }
            }
        }
        false
    }
}

fn spawn(dir: &Workdir, home: &Workdir, token: &str, mount: Mount, more: &[(&str, &str)]) -> Option<Gateway> {
    let at = |name: &str| home.path().join(name).display().to_string();
    let environment = [
        ("HOME", &*at("")),
        ("RUNBEAM_MACHINE_TOKEN", token),
        ("HARMONY_DISK_FAULT", &*at("disk-fault")),
        ("HARMONY_PROBE_FAULT", &*at("probe-fault")),
    ];
    let environment = [&environment[..], more].concat();
    let program = faulty_binary();
    let simulated = || mount.simulated(dir.path()).map(|_| Command::new(&program));
    let mut command = mount.command(&program, dir.path()).or_else(simulated)?;
    command.arg("run").arg("--config").arg(dir.config()).args(["--drain-secs", "1"]);
    Some(Gateway::spawn_command(command, &dir.config(), &environment))
}
