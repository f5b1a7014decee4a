//! The command line: subcommands, exit codes and output of the real binary.

mod process;

use std::path::{Path, PathBuf};

use harmony_tests::site::{BASE, echo, ingress, mesh, on_ports, pipeline};
use harmony_tests::{Gateway, SECRET, Workdir, binary, eventually, free_port};
use serde_json::Value;
use tokio::process::Command;

const PUBLIC: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/harmony-configs");
const OWN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples");

/// A configuration with five problems, in the lines 3, 6, 11, 14 and 20.
const WRONG: &str = r#"[proxy]
id = "wrong"
primary_provider = "acme"

[network.public.http]
bind_address = "nowhere"
bind_port = 8080

[management]
enabled = true
network = "nowhere"

[mesh.clinic]
type = "smtp"
provider = "local"
jwt_secret = "hunter2hunter2hunter2hunter2hunter2"

[pipelines.api]
networks = ["public"]
endpoints = ["missing"]
backends = ["api"]

[backends.api]
service = "echo"
"#;

const WRONG_LINES: [u64; 5] = [3, 6, 11, 14, 20];

/// The output and exit code of a command.
#[derive(Debug)]
struct CommandOutput {
    code: i32,
    out: String,
    err: String,
}

impl CommandOutput {
    fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    fn assert_code(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:?}");
        self
    }

    #[track_caller]
    fn assert_contains(self, texts: &[&str]) -> Self {
        for text in texts {
            assert!(
                self.out.contains(text) || self.err.contains(text),
                "{text:?} is missing:\n{}{}",
                self.out,
                self.err
            );
        }
        self
    }
}

async fn run(config: &Path, arguments: &[&str]) -> CommandOutput {
    let mut command = Command::new(binary());
    command.args(arguments).arg("--config").arg(config).env("HOME", config.parent().unwrap());
    for name in ["RUST_LOG", "HARMONY_CONFIG", "HARMONY_MANAGEMENT_TOKEN"] {
        command.env_remove(name);
    }
    let output = command.kill_on_drop(true).output().await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    CommandOutput {
        code: output.status.code().expect("an exit code"),
        out: text(output.stdout),
        err: text(output.stderr),
    }
}

fn dir(sections: &str) -> (Workdir, u16, u16) {
    let (port, admin) = (free_port(), free_port());
    let config = on_ports(&format!("{BASE}{sections}"), port, admin);
    (Workdir::with([("config.toml", config)]), port, admin)
}

async fn check(config: &str) -> CommandOutput {
    run(&Workdir::with([("config.toml", config.to_owned())]).config(), &["check"]).await
}

#[tokio::test]
async fn check_warns_of_pipelines_it_cannot_serve() {
    let (dir, ..) = dir(&(echo("api", "/api") + &pipeline("dicom", "/dicom", "service = \"dicom_scu\"")));
    let ran = run(&dir.config(), &["check"]).await.assert_code(0);
    ran.assert_contains(&[
        "ok, provider local",
        "2 pipelines (1 served)",
        "pipelines.dicom",
        "`dicom_scu`",
        "501",
    ]);
    let ran = run(&dir.config(), &["check", "--json"]).await.assert_code(0);
    let json = ran.json();
    assert_eq!((&json["ok"], &json["errors"]), (&true.into(), &Value::Array(vec![])));
    assert_eq!(json["warnings"][0]["key"], "pipelines.dicom");
    assert_eq!(json["warnings"].as_array().unwrap().len(), 1);
}

/// `check` reports every problem with file, line and remedy in one pass.
#[tokio::test]
async fn check_reports_every_problem_in_one_pass() {
    let dir = Workdir::with([("config.toml", WRONG.to_owned())]);
    let ran = run(&dir.config(), &["check"]).await.assert_code(1);
    assert_eq!(ran.out.matches("error: ").count(), 5, "{}", ran.out);
    for line in WRONG_LINES {
        assert!(ran.out.contains(&format!("config.toml:{line}:")), "line {line}: {}", ran.out);
    }
    ran.assert_contains(&[
        "5 errors",
        "help: ",
        "`acme` is not compiled into this gateway; compiled in: local",
    ]);
    let json = run(&dir.config(), &["check", "--json"]).await.assert_code(1).json();
    assert_eq!(json["ok"], false);
    let places: Vec<_> =
        json["errors"].as_array().unwrap().iter().map(|e| (&e["file"], e["line"].as_u64())).collect();
    assert_eq!(places, WRONG_LINES.map(|line| (&json["errors"][0]["file"], Some(line))));
    assert_eq!(json["errors"][0]["file"], "config.toml");
}

#[tokio::test]
async fn check_names_missing_and_invalid_files() {
    let nothing = Workdir::new();
    run(&nothing.config(), &["check"])
        .await
        .assert_code(1)
        .assert_contains(&["config.toml", "cannot be read"]);
    let dir = Workdir::with([
        ("config.toml", on_ports(BASE, 8080, 9090)),
        ("pipelines/p.toml", "[pipelines.p\n".into()),
    ]);
    run(&dir.config(), &["check"]).await.assert_code(1).assert_contains(&["pipelines/p.toml:1:"]);
}

/// A reference to a provider that is configured but not primary is an error with that reason.
#[tokio::test]
async fn a_reference_to_an_inactive_provider_is_an_error() {
    let (dir, ..) = dir("[provider.runbeam]\napi = \"https://api.runbeam.cloud\"\n");
    let text = pipeline("api", "/api", "service = \"http\"\ntarget_ref = \"runbeam.team.ingress.name.x\"");
    dir.write("pipelines/api.toml", &text);
    let line = text.lines().position(|line| line.starts_with("target_ref")).unwrap() + 1;
    let place = format!("pipelines/api.toml:{line}:");
    let ran = run(&dir.config(), &["check"]).await.assert_code(1);
    ran.assert_contains(&[
        &place,
        "`runbeam` is configured",
        "but not primary",
        "primary_provider is `local`",
    ]);
}

#[tokio::test]
async fn check_never_prints_a_secret() {
    const HIDDEN: &str = "hunter2";
    let long = HIDDEN.repeat(6);
    for broken in [
        "[management]\nenabled = true\nnetwork = \"n\"\ntoken = \"hunter2\"\n".to_owned(),
        "[mesh.m]\nprovider = \"local\"\njwt_secret = hunter2\n".to_owned(),
        "[mesh.m]\nprovider = \"local\"\njwt_secret = \"hunter2\n".to_owned(),
        "[mesh.m]\nprovider = \"local\"\njwt_secret = [\"hunter2\"]\n".to_owned(),
        "[mesh.m]\nprovider = \"local\"\njwt_secret = \"\"\"\nhunter2\n\"\"\" x\n".to_owned(),
        format!("[mesh.m]\nprovider = \"local\"\njwt_secret = \"{long}\"\njwt_secret = \"{long}\"\n"),
        "[authentications.a]\noptions = { user = \"u\", password = \"hunter2\", x }\n".to_owned(),
    ] {
        for arguments in [&["check"][..], &["check", "--json"], &["run"], &["resolve", "x"]] {
            let dir = Workdir::with([(
                "config.toml",
                format!("[proxy]\nid = \"x\"\nprimary_provider = \"local\"\n{broken}"),
            )]);
            let ran = run(&dir.config(), arguments).await.assert_code(1);
            assert!(
                !ran.out.contains(HIDDEN) && !ran.err.contains(HIDDEN),
                "{arguments:?} on {broken}: {ran:?}"
            );
        }
    }
}

#[tokio::test]
async fn check_never_prints_the_password_in_a_url() {
    for keys in [
        "options.base_url = \"http://user:hunter2@127.0.0.1\"",
        "connection.host = \"http://user:hunter2@127.0.0.1\"",
    ] {
        let (dir, ..) = dir(&pipeline("api", "/api", &format!("service = \"http\"\n{keys}")));
        let ran = run(&dir.config(), &["check"])
            .await
            .assert_code(1)
            .assert_contains(&["no user name or password"]);
        assert!(!ran.out.contains("hunter2"), "{}", ran.out);
    }
}

#[tokio::test]
async fn check_never_prints_a_secret_in_a_list() {
    let ran =
        check("[proxy]\nid = \"x\"\n[middleware.m]\ntype = \"t\"\napi_keys = [\n  \"hunter2\" \"x\",\n]\n")
            .await;
    let ran = ran.assert_code(1).assert_contains(&["config.toml:6:"]);
    assert!(!ran.out.contains("hunter2"), "{}", ran.out);
}

/// Returns every config.toml below `root`.
fn configurations(root: &Path) -> Vec<PathBuf> {
    let (mut todo, mut found) = (vec![root.to_owned()], Vec::new());
    while let Some(directory) = todo.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => todo.push(path),
                false if path.ends_with("config.toml") => found.push(path),
                false => {}
            }
        }
    }
    found
}

/// Every example passes `check`. Those of this repository are warned of nothing but their secrets, which are public.
#[tokio::test]
async fn every_example_passes_check() {
    let own = configurations(OWN.as_ref());
    assert!(own.len() >= 3, "{own:?}");
    for config in own {
        let json = run(&config, &["check", "--json"]).await.assert_code(0).json();
        let warnings = json["warnings"].as_array().unwrap();
        // The application that embeds the host serves `fhir` and `memory`; the built-in gateway warns about them.
        let embeds = config.components().any(|part| part.as_os_str() == "embed-axum");
        // A checkout sets the modes of its files; that the secret is public is true of every copy.
        let expected = |warning: &Value| {
            let message = warning["message"].as_str().unwrap();
            embeds && message.ends_with("are answered 501")
                || message.starts_with("this secret is in public examples")
                || message.starts_with("this file holds a secret, and ")
        };
        assert!(warnings.iter().all(expected), "{}: {warnings:?}", config.display());
    }
    if Path::new(PUBLIC).is_dir() {
        for config in configurations(PUBLIC.as_ref()) {
            run(&config, &["check"]).await.assert_code(0);
        }
    }
}

/// `resolve` prints the resource of a reference, or the reason for which there is none.
#[tokio::test]
async fn resolve_prints_the_resource_or_the_reason() {
    let sections = echo("api", "/api")
        + &ingress("api", "open", "https://api.example.com/r4", "default")
        + &ingress("api", "shut", "https://api.example.com/r5", "default")
        + "enabled = false\n"
        + &mesh("clinic", "open");
    let (dir, ..) = dir(&sections);
    let found = run(&dir.config(), &["resolve", "local.name.open"]).await.assert_code(0);
    found.assert_contains(&["ingress", "https://api.example.com/r4"]);
    let json = run(&dir.config(), &["resolve", "open", "--json"]).await.assert_code(0).json();
    assert_eq!((&json["type"], &json["urls"][0]), (&"ingress".into(), &"https://api.example.com/r4".into()));
    let mesh =
        run(&dir.config(), &["resolve", "local.local.mesh.name.clinic", "--json"]).await.assert_code(0);
    assert!(!mesh.out.contains(SECRET), "{}", mesh.out);
    for (reference, code, message) in [
        ("a..b", 2, "error: "),
        ("local.name.nobody", 3, "nobody"),
        ("local.name.shut", 4, "disabled"),
        ("runbeam.id.01X", 3, "active: local"),
    ] {
        run(&dir.config(), &["resolve", reference]).await.assert_code(code).assert_contains(&[message]);
    }
    let broken = Workdir::with([("config.toml", WRONG.to_owned())]);
    run(&broken.config(), &["resolve", "open"]).await.assert_code(1).assert_contains(&["config.toml:3:"]);
}

/// `status` reports that the gateway is in sync, the reason for which it is not, or that it does not respond.
#[tokio::test]
async fn status_reports_sync_or_the_reason() {
    let (dir, ..) = dir(&echo("api", "/api"));
    run(&dir.config(), &["status"]).await.assert_code(5);
    let gateway = Gateway::start(&dir.config()).await;
    run(&dir.config(), &["status"]).await.assert_code(0).assert_contains(&[
        "in sync\n",
        "provider    local",
        "generation 1",
    ]);
    dir.edit("config.toml", "service = \"echo\"", "service = 7");
    eventually("the edit is rejected", || async {
        let ran = run(&dir.config(), &["status"]).await;
        if ran.code == 7 { Ok(ran) } else { Err(ran) }
    })
    .await
    .assert_contains(&[
        "NOT in sync",
        "backends.api.service",
        "expected a string, found a whole number",
        "config.toml:",
    ]);
    let json = run(&dir.config(), &["status", "--json"]).await.assert_code(7).json();
    assert_eq!((&json["in_sync"], &json["effective"]["generation"]), (&false.into(), &1.into()));
    dir.edit("config.toml", "service = 7", "service = \"echo\"");
    eventually("the repaired edit is applied", || async {
        let ran = run(&dir.config(), &["status"]).await;
        if ran.code == 0 { Ok(()) } else { Err(ran) }
    })
    .await;
    drop(gateway);
}

/// A problem of a section is reported once, and not again at each reference to the section.
#[tokio::test]
async fn a_broken_section_is_reported_once() {
    let base = "[proxy]\nid = \"x\"\nprimary_provider = \"local\"\n[network.n.http]\nbind_port = 1\n\
                [pipelines.p]\nnetworks = [\"n\"]\nendpoints = [\"e\"]\nbackends = [\"b\"]\n\
                [backends.b]\nservice = \"echo\"\n";
    for wrong in [
        "[endpoints.e]\nservice = 7\n",
        "[x\n[endpoints.e]\nservice = \"echo\"\noptions.path_prefix = \"/\"\n",
    ] {
        let ran = check(&format!("{base}{wrong}")).await.assert_code(1);
        assert_eq!(ran.out.matches("error:").count(), 1, "{}", ran.out);
    }
}

/// `--version` and the first line of the log name the compiled-in providers.
#[tokio::test]
async fn version_and_log_name_the_providers() {
    let output = Command::new(binary()).arg("--version").output().await.unwrap();
    let version = format!("harmony-host {} (providers: local, runbeam)\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(String::from_utf8(output.stdout).unwrap(), version);
    let (dir, _, _) = dir("");
    let gateway = Gateway::start(&dir.config()).await;
    let log = gateway.log();
    let first =
        log.lines().find(|line| line.contains("harmony-host starts")).expect("the log has a first line");
    assert!(first.contains("local, runbeam"), "{first}");
}
