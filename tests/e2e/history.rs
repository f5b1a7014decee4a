//! The history of generations, their differences, rollback and the audit log, through the real program.

mod audit;
mod cloud;
mod kills;
mod rollback;

use std::path::{Path, PathBuf};

use harmony_tests::disk::files_below;
use harmony_tests::site::{BASE, echo, mesh, on_ports};
use harmony_tests::{Gateway, SECRET, Workdir, binary, eventually, faulty_binary, free_port};
use serde_json::Value;
use tokio::process::Command;

/// A gateway process on local files, with its state beside them.
struct Local {
    port: u16,
    admin: u16,
    dir: Workdir,
    gateway: Gateway,
}

/// The result of a command.
#[derive(Debug)]
struct Ran {
    code: i32,
    out: String,
    err: String,
}

impl Ran {
    #[track_caller]
    fn assert_code(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:#?}");
        self
    }

    #[track_caller]
    fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }

    #[track_caller]
    fn assert_contains(self, texts: &[&str]) -> Self {
        for text in texts {
            assert!(self.out.contains(text) || self.err.contains(text), "{text:?} is missing: {self:#?}");
        }
        self
    }
}

/// Runs a command for the configuration in `dir`.
async fn run(dir: &Workdir, arguments: &[&str]) -> Ran {
    let mut command = Command::new(binary());
    command.args(arguments).arg("--config").arg(dir.config()).env("HOME", dir.path());
    for name in ["RUST_LOG", "HARMONY_CONFIG", "HARMONY_MANAGEMENT_TOKEN", "HARMONY_STATE_DIR"] {
        command.env_remove(name);
    }
    let output = command.stdin(std::process::Stdio::null()).kill_on_drop(true).output().await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
}

impl Local {
    /// Starts a gateway with [`BASE`], these sections and these files.
    async fn start(sections: &str, files: &[(&str, String)]) -> Self {
        Self::with_program(&binary(), sections, files).await
    }

    async fn with_program(program: &Path, sections: &str, files: &[(&str, String)]) -> Self {
        let (port, admin) = (free_port(), free_port());
        let dir = Workdir::with(files.iter().map(|(name, text)| (*name, text.clone())));
        dir.write("config.toml", &on_ports(&format!("{BASE}{sections}"), port, admin));
        std::fs::create_dir_all(dir.path().join("pipelines")).unwrap();
        let mut gateway = Gateway::spawn_program(program, &dir.config(), &[], &[]);
        gateway.wait_until_ready().await;
        Self { port, admin, dir, gateway }
    }

    async fn run(&self, arguments: &[&str]) -> Ran {
        run(&self.dir, arguments).await
    }

    async fn get(&self, path: &str) -> Value {
        Gateway::management(self.admin, path).await
    }

    async fn code(&self, path: &str) -> u16 {
        let url = format!("http://127.0.0.1:{}{path}", self.port);
        let answer = harmony_tests::get(&url).await;
        answer.unwrap_or_else(|error| panic!("{url}: {error}\n{}", self.gateway.log())).status().as_u16()
    }

    async fn generation(&self) -> u64 {
        self.get("provider").await["effective"]["generation"].as_u64().unwrap()
    }

    /// Waits until a generation is served, and returns its entry in the history.
    async fn wait_for_generation(&self, generation: u64) -> Value {
        eventually(&format!("generation {generation}"), || async {
            let history = self.get("history").await;
            let entry = history["entries"].as_array().unwrap().iter();
            let entry = entry.clone().find(|entry| entry["generation"] == generation).cloned();
            entry.filter(|_| history["served"] == generation).ok_or(history)
        })
        .await
    }

    /// Waits until the newest entry of the history is a rejection.
    async fn wait_for_rejection(&self) -> Value {
        eventually("a rejected attempt", || async {
            let entry = self.get("history").await["entries"][0].clone();
            if entry["verdict"] == "rejected" { Ok(entry) } else { Err(entry) }
        })
        .await
    }

    async fn kill(&mut self) {
        self.gateway.signal("KILL").await;
        self.gateway.wait_for_exit().await;
    }

    async fn stop(&mut self) {
        self.gateway.signal("TERM").await;
        assert_eq!(self.gateway.exit_code().await, 0, "{}", self.gateway.log());
    }

    async fn restart(&mut self) {
        self.restart_with(&[]).await;
    }

    /// Starts a new process, with failpoints or disk faults.
    async fn restart_with(&mut self, environment: &[(&str, &str)]) {
        let program = if environment.is_empty() { binary() } else { faulty_binary() };
        self.gateway = Gateway::spawn_program(&program, &self.dir.config(), &[], environment);
        self.gateway.wait_until_ready().await;
    }

    /// The configuration files, by name.
    fn files(&self) -> Vec<(String, String)> {
        let root = self.dir.path();
        let mut files: Vec<(String, String)> = files_below(root)
            .into_iter()
            .filter_map(|path| Some(path.strip_prefix(root).ok()?.to_string_lossy().into_owned()))
            .filter(|name| !name.starts_with(".runbeam"))
            .map(|name| (name.clone(), self.dir.read(&name)))
            .collect();
        files.sort();
        files
    }

    /// The directory of the state of a kind: `history` or `audit`.
    fn state(&self, kind: &str) -> PathBuf {
        let above = self.dir.path().join(".runbeam/harmony").join(kind);
        std::fs::read_dir(above).unwrap().flatten().next().expect("a directory").path()
    }
}

/// The name of the user of the tests.
async fn user() -> String {
    let output = Command::new("id").arg("-un").output().await.unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[tokio::test]
async fn generations_have_causes_and_words() {
    let mut site = Local::start(&echo("first", "/first"), &[]).await;
    let first = site.wait_for_generation(1).await;
    assert_eq!((&first["cause"]["kind"], &first["verdict"]), (&"start".into(), &"applied".into()));
    site.dir.replace("pipelines/hello.toml", &echo("hello", "/hello"));
    let added = site.wait_for_generation(2).await;
    let me = user().await;
    assert_eq!(added["cause_text"], format!("edit by {me}"));
    assert!(added["changed"].to_string().contains("added pipeline hello"), "{added:#}");
    assert_eq!(added["files"][0]["name"], "pipelines/hello.toml");
    assert_eq!(added["files"][0]["change"], "added");
    site.dir.replace("pipelines/hello.toml", "[pipelines.hello]\nnetworks = [\"nowhere\"]\n");
    let rejected = site.wait_for_rejection().await;
    assert_eq!((&rejected["generation"], &rejected["serves"]), (&Value::Null, &2.into()));
    assert_eq!((&rejected["class"], &rejected["users"][0]), (&"validate".into(), &me.as_str().into()));
    assert!(rejected["problem"].as_str().unwrap().contains("pipelines/hello.toml:"), "{rejected:#}");
    site.dir.remove("pipelines/hello.toml");
    let removed = site.wait_for_generation(3).await;
    assert!(removed["changed"].to_string().contains("removed pipeline hello"), "{removed:#}");
    let ran = site.run(&["history"]).await.assert_code(0);
    ran.assert_contains(&[
        "3  applied, served",
        "REJECTED (validate)",
        "2 stayed",
        "added pipeline hello",
        &me,
    ]);
    // An unchanged restart goes on with the generation; one after an edit begins the next.
    site.stop().await;
    site.restart().await;
    assert_eq!(site.generation().await, 3);
    site.kill().await;
    site.dir.write("pipelines/later.toml", &echo("later", "/later"));
    site.restart().await;
    let after = site.wait_for_generation(4).await;
    assert_eq!(after["cause"]["kind"], "start");
    assert!(after["changed"].to_string().contains("pipelines/later.toml"), "{after:#}");
    let all = site.run(&["history", "--json"]).await.assert_code(0).json();
    let numbers: Vec<&Value> =
        all["entries"].as_array().unwrap().iter().map(|one| &one["generation"]).collect();
    assert_eq!(numbers, [&Value::from(4), &3.into(), &Value::Null, &2.into(), &1.into()]);
    assert_eq!(all["served"], site.generation().await);
}

#[tokio::test]
async fn pages_are_bounded_and_complete() {
    let site = Local::start("", &[]).await;
    for number in 1..=7 {
        site.dir.replace("pipelines/one.toml", &echo("one", &format!("/{number}")));
        site.wait_for_generation(number + 1).await;
    }
    let (mut seen, mut before) = (Vec::new(), String::new());
    loop {
        let page = site.get(&format!("history?limit=3{before}")).await;
        let entries = page["entries"].as_array().unwrap();
        assert!(entries.len() <= 3);
        seen.extend(entries.iter().map(|entry| entry["generation"].as_u64().unwrap()));
        match page["next"].as_u64() {
            Some(next) => before = format!("&before={next}"),
            None => break,
        }
    }
    assert_eq!(seen, [8, 7, 6, 5, 4, 3, 2, 1]);
    let refused = site.get("history?limit=x").await;
    assert_eq!(refused["error"], "bad_request");
    assert_eq!(site.get("history?limit=1000000").await["entries"].as_array().unwrap().len(), 8);
}

#[tokio::test]
async fn differences_have_words_and_lines_and_no_secret() {
    let own = echo("api", "/api")
        + "[pipelines.api.mesh.ingress.own]\ntype = \"http\"\nurls = [\"http://127.0.0.1:1/api\"]\nmode = \"mesh\"\n";
    let site = Local::start(&own, &[("mesh/m.toml", mesh("m", "own"))]).await;
    let other = "another-secret-of-thirty-two-bytes-or-more";
    site.dir.replace("mesh/m.toml", &mesh("m", "own").replace(SECRET, other));
    site.wait_for_generation(2).await;
    site.dir.replace("pipelines/hello.toml", &echo("hello", "/hello"));
    site.wait_for_generation(3).await;
    let shown = site.run(&["diff", "1", "3"]).await.assert_code(0).assert_contains(&[
        "from generation 1 to generation 3",
        "added pipeline hello",
        "+++ b/pipelines/hello.toml",
        "+[pipelines.hello]",
        "only the value of a secret",
    ]);
    let json = site.run(&["diff", "2", "--json"]).await.assert_code(0).json();
    assert_eq!((&json["from"], &json["to"]), (&2.into(), &3.into()));
    assert_eq!(json["files"][0]["change"], "added");
    let everything =
        [shown.out, site.run(&["diff", "1", "2"]).await.out, site.run(&["history", "--json"]).await.out];
    for text in everything {
        assert!(!text.contains(SECRET) && !text.contains(other), "{text}");
    }
    let back = site.run(&["diff", "3", "2"]).await.assert_code(0);
    back.assert_contains(&["removed pipeline hello", "-[pipelines.hello]"]);
    site.run(&["diff", "9"])
        .await
        .assert_code(3)
        .assert_contains(&["there is no generation 9; the newest one is 3"]);
    assert_eq!(site.get("history/diff").await["error"], "bad_request");
}

/// The history and the audit log belong to the gateway's user alone, and so does everything that they hold.
#[tokio::test]
async fn records_are_private() {
    use std::os::unix::fs::PermissionsExt as _;
    let site = Local::start(&echo("first", "/first"), &[]).await;
    site.wait_for_generation(1).await;
    site.run(&["rollback", "1", "--yes"]).await.assert_code(0);
    for kind in ["history", "audit"] {
        let directory = site.state(kind);
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&directory), 0o700);
        let files = files_below(&directory);
        assert!(!files.is_empty());
        for file in files {
            assert_eq!(mode(&file), 0o600, "{}", file.display());
        }
    }
}

/// A full disk stops neither edits nor requests; what could not be recorded is in the status, and the next records follow.
#[tokio::test]
async fn a_full_disk_stops_no_edit() {
    let mut site = Local::start(&echo("first", "/first"), &[]).await;
    site.wait_for_generation(1).await;
    site.stop().await;
    let fault = site.dir.path().join(".fault");
    let shown = fault.display().to_string();
    site.restart_with(&[("HARMONY_DISK_FAULT", &shown)]).await;
    std::fs::write(&fault, "28 .runbeam").unwrap();
    site.dir.replace("pipelines/hello.toml", &echo("hello", "/hello"));
    site.wait_for_generation(2).await;
    assert_eq!((site.code("/first").await, site.code("/hello").await), (200, 200));
    let status = eventually("the failures are in the status", || async {
        let status = site.get("provider").await;
        let has =
            |key: &str| status[key]["failure"].as_str().is_some_and(|why| why.contains("the disk is full"));
        if has("audit") && has("history") { Ok(status) } else { Err(status.to_string()) }
    })
    .await;
    assert!(status["audit"]["waiting"].as_u64() > Some(0), "{status:#}");
    site.run(&["status"]).await.assert_contains(&["audit log", "events wait", "history"]);
    std::fs::remove_file(&fault).unwrap();
    eventually("the records are written", || async {
        let status = site.get("provider").await;
        let done = |key: &str| status[key]["failure"].is_null();
        if done("audit") && done("history") && status["audit"]["waiting"] == 0 { Ok(()) } else { Err(status) }
    })
    .await;
    site.run(&["audit", "verify"]).await.assert_code(0);
    site.kill().await;
    site.restart().await;
    assert_eq!(site.generation().await, 2);
    site.run(&["rollback", "1", "--yes"]).await.assert_code(0);
    assert_eq!(site.code("/hello").await, 404);
}
