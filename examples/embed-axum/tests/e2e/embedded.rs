//! The application as a child process with its own files.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use harmony_tests::control_plane::{ChangeView, ControlPlane, Status};
use harmony_tests::site::pipeline;
use harmony_tests::{Gateway, Workdir, client, eventually, free_port};
use serde_json::Value;
use tokio::process::Command;

/// A path that the router rejects, and the message of the rejection.
pub(crate) const DEEP: &str = "/a/b/c/d/e";
pub(crate) const TOO_DEEP: &str = "the router takes at most 4 segments";

/// A process with a configuration and a state directory. Killed on drop.
pub(crate) struct Embedded {
    pub(crate) port: u16,
    pub(crate) dir: Workdir,
    pub(crate) home: Workdir,
    pub(crate) process: Gateway,
    token: String,
}

/// A pipeline of the service `fhir`; its path is on line 7.
pub(crate) fn fhir(name: &str, path: &str) -> String {
    pipeline(name, path, "service = \"memory\"").replacen("service = \"http\"", "service = \"fhir\"", 1)
}

/// A network of config.toml.
pub(crate) fn network(name: &str, port: u16) -> String {
    format!("[network.{name}.http]\nbind_address = \"127.0.0.1\"\nbind_port = {port}\n")
}

impl Embedded {
    /// Starts a process whose configuration chooses no provider.
    pub(crate) async fn local(sections: &str) -> Self {
        Self::start("", String::new(), sections).await
    }

    /// Starts a process that polls `cloud` every second, as the gateway `edge`.
    pub(crate) async fn following(cloud: &ControlPlane, sections: &str) -> Self {
        let provider = format!("[provider.runbeam]\napi = \"{}\"\npoll_interval_secs = 1\n", cloud.url());
        let sections = format!("{provider}{sections}");
        let token = cloud.authorize("acme", "edge").to_string();
        Self::start("primary_provider = \"runbeam\"\n", token, &sections).await
    }

    async fn start(primary: &str, token: String, sections: &str) -> Self {
        let (port, dir, home) = (free_port(), Workdir::new(), Workdir::new());
        let own = network("public", port) + "[management]\nenabled = true\nnetwork = \"public\"\n";
        dir.write("config.toml", &format!("[proxy]\nid = \"edge\"\n{primary}{own}{sections}"));
        dir.write("pipelines/first.toml", &fhir("first", "/first"));
        let process = spawn(&dir, &home, &token);
        let mut embedded = Self { port, dir, home, process, token };
        embedded.process.wait_until_ready().await;
        embedded
    }

    /// Kills the process with SIGKILL, calls `between`, and starts a new process.
    pub(crate) async fn restart_after_kill(&mut self, between: impl FnOnce(&Self)) {
        self.process.signal("KILL").await;
        self.process.wait_for_exit().await;
        between(self);
        self.process = spawn(&self.dir, &self.home, &self.token);
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// Sends a GET request and returns the status and the body.
    pub(crate) async fn get(&self, path: &str) -> (u16, String) {
        let url = self.url(path);
        let answer = client().get(&url).send().await;
        let answer = answer.unwrap_or_else(|e| panic!("{url}: {e}\n{}", self.process.log()));
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    /// Waits until a GET request gets this status.
    pub(crate) async fn wait_for_status(&self, path: &str, status: u16) {
        eventually(&format!("{path} is {status}"), || async {
            let now = self.get(path).await;
            if now.0 == status { Ok(()) } else { Err((now, self.process.log())) }
        })
        .await;
    }

    /// Returns the response to GET /admin/provider.
    pub(crate) async fn status(&self) -> Value {
        serde_json::from_str(&self.get("/admin/provider").await.1).unwrap()
    }

    /// Waits until the gateway is not in sync, for a reason that contains all of `words`.
    pub(crate) async fn wait_until_out_of_sync(&self, words: &[&str]) {
        eventually(&format!("{words:?} as the reason"), || async {
            let status = self.status().await;
            let reason = status["reason"].as_str().unwrap_or_default();
            let so = status["in_sync"] == false && words.iter().all(|word| reason.contains(word));
            if so { Ok(()) } else { Err(status) }
        })
        .await;
    }

    /// Waits until this generation is served.
    pub(crate) async fn wait_for_generation(&self, generation: u64) {
        eventually(&format!("the generation {generation}"), || async {
            let status = self.status().await;
            if status["effective"]["generation"] == generation { Ok(()) } else { Err(status) }
        })
        .await;
    }

    /// Injects a fault into `activate`, until [`clear_fault`](Self::clear_fault).
    pub(crate) fn set_fault(&self, word: &str) {
        self.home.replace("fault", word);
    }

    pub(crate) fn clear_fault(&self) {
        self.home.remove("fault");
    }

    /// Returns every file of the configuration.
    pub(crate) fn files(&self) -> BTreeMap<String, Vec<u8>> {
        all(self.dir.path(), "")
    }

    /// Waits until the newest saved generation contains `text`, and returns all saved generations.
    pub(crate) async fn last_good(&self, text: &str) -> BTreeMap<String, Vec<u8>> {
        eventually(&format!("{text:?} to be saved"), || async {
            let all = all(self.home.path(), ".generation");
            let newest = all.values().next_back().map(|bytes| String::from_utf8_lossy(bytes).into_owned());
            if newest.as_ref().is_some_and(|newest| newest.contains(text)) { Ok(all) } else { Err(newest) }
        })
        .await
    }
}

/// Returns the files below `root` whose names end with `end`.
fn all(root: &Path, end: &str) -> BTreeMap<String, Vec<u8>> {
    let (mut all, mut open) = (BTreeMap::new(), vec![root.to_owned()]);
    while let Some(next) = open.pop() {
        for path in fs::read_dir(next).unwrap().map(|entry| entry.unwrap().path()) {
            let name = path.strip_prefix(root).unwrap().display().to_string();
            if path.is_dir() {
                open.push(path);
            } else if name.ends_with(end) {
                // A temporary file may be gone by now.
                all.extend(fs::read(&path).ok().map(|bytes| (name, bytes)));
            }
        }
    }
    all
}

pub(crate) fn spawn(dir: &Workdir, home: &Workdir, token: &str) -> Gateway {
    let (state, fault) = (home.path().join("state"), home.path().join("fault"));
    let environment = [
        ("HARMONY_STATE_DIR", &*state.to_string_lossy()),
        ("EMBED_FAULT", &*fault.to_string_lossy()),
        ("RUNBEAM_MACHINE_TOKEN", token),
    ];
    let mut command = Command::new(env!("CARGO_BIN_EXE_embed-axum"));
    command.arg(dir.config());
    Gateway::spawn_command(command, &dir.config(), &environment)
}

/// Waits for the verdict `failed`. Its message must start with the first of `words`, and message and details must contain
/// all of them.
pub(crate) async fn failed(cloud: &ControlPlane, change: &str, words: &[&str]) {
    let ChangeView { status, error_message, error_details, .. } = cloud.wait_until_settled(change).await;
    let (error, details) = (error_message.unwrap_or_default(), error_details.unwrap_or_default());
    assert_eq!(status, Status::Failed, "{error}");
    assert!(error.starts_with(words[0]), "{error}");
    let whole = format!("{error}\n{}", details.join("\n"));
    for word in words {
        assert!(whole.contains(word), "no {word:?} in {whole}");
    }
}

/// Stores a pipeline at the control plane, and waits until it is applied.
pub(crate) async fn applied(cloud: &ControlPlane, name: &str, path: &str) {
    let change = cloud.put_document("edge", "pipeline", &fhir(name, path));
    let view = cloud.wait_until_settled(&change).await;
    assert_eq!(view.status, Status::Applied, "{view:?}");
}
