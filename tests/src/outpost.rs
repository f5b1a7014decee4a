use std::fs;

use serde_json::Value;

use crate::control_plane::ControlPlane;
use crate::site::on_ports;
use crate::{EDGE, Gateway, Workdir, eventually, faulty_binary, free_port};

/// A gateway as a process of its own that follows a control plane every second, and whose disk can be made to refuse.
/// What it keeps for a restart is not among its files, so that these can be taken away. Killed when dropped.
#[derive(Debug)]
pub struct Outpost {
    /// The port of the network `public`.
    pub port: u16,
    /// The port of the management API.
    pub admin: u16,
    /// Its configuration.
    pub dir: Workdir,
    /// Its home, with what it keeps.
    pub home: Workdir,
    /// The process.
    pub gateway: Gateway,
    token: String,
}

impl Outpost {
    /// One of the team `acme` with the code `edge`, ready.
    pub async fn following(cloud: &ControlPlane) -> Self {
        Self::with(cloud, free_port(), "").await
    }

    /// The same on that port, with more in its config.toml.
    pub async fn with(cloud: &ControlPlane, port: u16, sections: &str) -> Self {
        let admin = free_port();
        let config = EDGE.replace("API", cloud.url()).replace("INTERVAL", "1");
        let (dir, home) = (Workdir::new(), Workdir::new());
        dir.write("config.toml", &on_ports(&format!("{config}{sections}"), port, admin));
        let token = cloud.authorized("acme", "edge").to_string();
        let mut gateway = spawn(&dir, &home, &token, "");
        gateway.until_ready().await;
        Self { port, admin, dir, home, gateway, token }
    }

    /// Ends the process as a power cut does.
    pub async fn kill(&mut self) {
        self.gateway.signal("KILL").await;
        self.gateway.ended().await;
    }

    /// Starts another process where the one before was.
    pub async fn start_again(&mut self) {
        self.start_armed("").await;
    }

    /// Starts another that ends where these `FAILPOINTS` say.
    pub async fn start_armed(&mut self, points: &str) {
        self.gateway = spawn(&self.dir, &self.home, &self.token, points);
        self.gateway.until_ready().await;
    }

    /// Lets the disk refuse with that error number; with a word after it, only for paths that have it in them.
    pub fn disk_refuses(&self, what: &str) {
        self.home.replace("disk-fault", what);
    }

    /// Lets the disk be well again.
    pub fn disk_is_well(&self) {
        self.home.remove("disk-fault");
    }

    /// A URL of the network `public`.
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// The status of a GET of the network `public`.
    ///
    /// # Panics
    /// When nobody answers.
    pub async fn status_of(&self, path: &str) -> u16 {
        let url = self.url(path);
        crate::get(&url)
            .await
            .unwrap_or_else(|e| panic!("{url}: {e}\n{}", self.gateway.log()))
            .status()
            .as_u16()
    }

    /// What it says of its provider and of what it serves.
    pub async fn says(&self) -> Value {
        Gateway::management(self.admin, "provider").await
    }

    /// Waits until it says that it is not in sync, for a reason with all of these words. Gives what it says.
    ///
    /// # Panics
    /// With what it says instead, when that takes too long.
    pub async fn until_it_says(&self, words: &[&str]) -> Value {
        eventually(&format!("{words:?} as the reason"), || async {
            let says = self.says().await;
            let reason = says["reason"].as_str().unwrap_or_default();
            let so = says["in_sync"] == false && words.iter().all(|word| reason.contains(word));
            if so { Ok(says) } else { Err(says.to_string()) }
        })
        .await
    }

    /// Waits until it says that it is in sync.
    ///
    /// # Panics
    /// With the reason why not, when that takes too long.
    pub async fn until_in_sync(&self) {
        eventually("in sync", || async {
            let says = self.says().await;
            if says["in_sync"] == true { Ok(()) } else { Err(says["reason"].clone()) }
        })
        .await;
    }

    /// Whether a configuration that it keeps for a restart has `text` in it: one that is whole, and in its place.
    pub fn keeps(&self, text: &str) -> bool {
        let mut todo = vec![self.home.path().to_owned()];
        while let Some(next) = todo.pop() {
            for path in fs::read_dir(next).into_iter().flatten().flatten().map(|entry| entry.path()) {
                if path.is_dir() {
                    todo.push(path);
                } else if path.extension().is_some_and(|extension| extension == "generation")
                    && fs::read_to_string(&path).is_ok_and(|held| held.contains(text))
                {
                    return true;
                }
            }
        }
        false
    }
}

fn spawn(dir: &Workdir, home: &Workdir, token: &str, points: &str) -> Gateway {
    let at = |name: &str| home.path().join(name).display().to_string();
    let environment = [
        ("HOME", &*at("")),
        ("RUNBEAM_MACHINE_TOKEN", token),
        ("FAILPOINTS", points),
        ("HARMONY_DISK_FAULT", &*at("disk-fault")),
        ("HARMONY_PROBE_FAULT", &*at("probe-fault")),
    ];
    Gateway::spawn_as(&faulty_binary(), &dir.config(), &["--drain-secs", "1"], &environment)
}
