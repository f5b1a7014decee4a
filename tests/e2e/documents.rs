//! Documents and their secrets: variables, masking, pushing, file modes, and control characters.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use harmony_tests::control_plane::{ControlPlane, Status};
use harmony_tests::site::{BASE, echo, ingress, mesh, on_ports};
use harmony_tests::{
    Forged, Gateway, GatewayProcess, InProcessGateway, InProcessGatewayOptions, SECRET, Workdir, binary,
    client, eventually, free_port,
};

/// A configuration with these sections and with free ports.
fn workdir(sections: &str) -> Workdir {
    let config = on_ports(&format!("{BASE}{sections}"), free_port(), free_port());
    Workdir::with([("config.toml", config)])
}

/// Owner, group and mode of a file stay when a change replaces it. A new file, and a new directory, has those of the
/// directory that it is in; one with a secret is its owner's alone.
#[tokio::test]
async fn files_of_changes_have_the_owner_and_mode_of_their_place() {
    use std::os::unix::fs::{MetadataExt as _, chown};
    let cloud = ControlPlane::start().await;
    let gateway = InProcessGateway::on_demand(&cloud).await;
    let root = gateway.dir.path();
    let at = |name: &str| root.join(name);
    gateway.dir.write("pipelines/old.toml", &echo("old", "/old"));
    let mode = |name: &str, mode| fs::set_permissions(at(name), Permissions::from_mode(mode)).unwrap();
    mode("pipelines", 0o750);
    mode("pipelines/old.toml", 0o604);
    mode("", 0o700);
    // Only root can give files away.
    let owner = if chown(at("pipelines"), Some(1234), Some(2345)).is_ok() {
        chown(at("pipelines/old.toml"), Some(3456), Some(4567)).unwrap();
        Some([(1234, 2345), (3456, 4567)])
    } else {
        eprintln!("NOT TESTED: the owner of files, since this user cannot give them away");
        None
    };
    gateway.host.reload().await.unwrap();
    let secret = mesh("m", "i").replace("[\"i\"]", "[]");
    for (kind, toml) in [
        ("pipeline", echo("old", "/moved")),
        ("pipeline", echo("new", "/new")),
        ("transform", "[transform.flatten]\ninstructions = '[]'\n".to_owned()),
        ("mesh", secret),
    ] {
        let change = cloud.put_document("edge", kind, &toml);
        gateway.host.sync().await.unwrap();
        let view = cloud.wait_until_settled(&change).await;
        assert_eq!(view.status, Status::Applied, "{:?}", view.error_message);
    }
    let found = |name: &str| {
        let metadata = fs::metadata(at(name)).unwrap();
        (metadata.mode() & 0o777, (metadata.uid(), metadata.gid()))
    };
    for (name, mode) in [
        ("pipelines/old.toml", 0o604),
        ("pipelines/new.toml", 0o640),
        ("transforms", 0o700),
        ("transforms/flatten.json", 0o600),
        ("mesh/m.toml", 0o600),
    ] {
        assert_eq!(found(name).0, mode, "{name}");
    }
    if let Some([directory, file]) = owner {
        assert_eq!((found("pipelines/new.toml").1, found("pipelines/old.toml").1), (directory, file));
    }
}

/// Control characters of a document are escaped in the log and on a terminal: no new line, no escape sequence.
#[tokio::test]
async fn control_characters_are_escaped() {
    let dir = workdir(&echo("a", "/a"));
    let mut gateway = Gateway::spawn(&dir.config(), &[]);
    gateway.wait_until_ready().await;
    let hostile = "\"\\u001b[2J\\nERROR forged \\u009b1m\\u202e\" = 1";
    dir.edit("config.toml", "service = \"http\"", &format!("service = \"http\"\n{hostile}"));
    gateway.wait_for_log("forged").await;
    for text in [gateway.log(), checked(&dir, 1)] {
        assert!(text.contains("\\u{1b}[2J\\nERROR forged \\u{9b}1m\\u{202e}"), "{text}");
        assert!(!text.contains(['\u{1b}', '\u{9b}', '\u{202e}']), "{text:?}");
        assert!(!text.lines().any(|line| line.starts_with("ERROR forged")), "{text}");
    }
}

/// The values of keys that `sensitive_field_patterns` names are masked in excerpts, in every file.
#[tokio::test]
async fn sensitive_field_patterns() {
    let dir = workdir(
        "[logging]\nsink = { door_pin = \"hunter2\", code_x = \"hunter3\", level = \"seen\" }\nstray\n",
    );
    dir.edit(
        "config.toml",
        "id = \"site\"",
        "id = \"site\"\nsensitive_field_patterns = [\"pin\", \"code_*\"]",
    );
    let shown = checked(&dir, 1);
    assert!(shown.contains("[logging]") || shown.contains("stray"), "{shown}");
    assert!(!shown.contains("hunter"), "{shown}");
    dir.edit(
        "config.toml",
        "sensitive_field_patterns = [\"pin\", \"code_*\"]",
        "sensitive_field_patterns = [\"*\"]",
    );
    assert!(
        checked(&dir, 1).contains("expected a part of a key's name"),
        "a pattern for everything is refused"
    );
}

/// A push contains no secret, a mesh is pushed without its key, and a change that returns it keeps the local key.
#[tokio::test]
async fn pushing_configuration_up() {
    let cloud = ControlPlane::start().await;
    let sections = echo("records", "/records")
        + &ingress("records", "in", "http://records.example/x", "mesh")
        + "[authentications.basic]\npassword = \"canary-1\"\nhs256_secret = \"canary-2\" # was canary-3 password\n\
           [storage.s3]\noptions = { \"api_key\" = \"canary-4\", url = \"https://u:canary-5@s3.example\" }\n\
           [[services.s.headers]]\nname = \"Authorization\"\nvalue = \"canary-6\"\n[services.s]\ndoor_pin = \"canary-7\"\n";
    let options = InProcessGatewayOptions { sections, interval: 0, ..InProcessGatewayOptions::default() };
    let gateway = InProcessGateway::with(&cloud, options).await;
    gateway.dir.edit("config.toml", "id = \"edge\"", "id = \"edge\"\nsensitive_field_patterns = [\"*_pin\"]");
    gateway
        .dir
        .write("mesh/clinic.toml", &mesh("clinic", "in").replace(SECRET, &format!("canary-8{SECRET}")));
    gateway.dir.write("transforms/t.json", r#"[{"spec":{"api_key":"canary-9"}}]"#);
    gateway.host.reload().await.expect("a verdict");
    let before = gateway.dir.read("config.toml");
    let report = gateway.host.push().await.expect("pushed");
    assert_eq!((report.mesh_count, report.kept_count), (1, 1), "{report}");
    let sent = format!("{:?}", cloud.requests());
    assert!(sent.contains("[mesh.clinic]") && !sent.contains("canary"), "{sent}");
    // What was pushed returns as changes: config.toml as it was, the mesh with its id at the cloud.
    gateway.host.sync().await.expect("a report");
    let changes = cloud.changes("edge");
    assert_eq!(changes.len(), 2, "{changes:?}");
    for change in changes {
        assert_eq!(cloud.wait_until_settled(&change.id).await.status, Status::Applied);
    }
    assert_eq!(gateway.dir.read("config.toml"), before);
    let returned = gateway.dir.read("mesh/clinic.toml");
    assert!(returned.contains("id = ") && returned.contains(&format!("canary-8{SECRET}")), "{returned}");
}

/// Nothing that looks like a secret is pushed, whatever its name and wherever it is. A transform with one, or one that
/// cannot be read to its end, is not pushed at all.
#[tokio::test]
async fn secrets_of_many_names_are_not_pushed() {
    let names = [
        "pass",
        "pw",
        "userpass",
        "admin_pw",
        "pw_hash",
        "hmac",
        "licence_key",
        "privkey",
        "private",
        "conn_str",
        "db_url",
        "dsn",
        "auth_header",
        "jwt",
        "sessionid",
        "totp_seed",
        "seed",
        "otp",
    ];
    let keys: String = names.iter().map(|name| format!("{name} = \"canary-{name}\"\n")).collect();
    let sections = echo("records", "/records")
        + "[authentications.basic]\nkey = \"canary-1\"\nusers = [{ name = \"u\", pass = \"canary-2\" }]\n\
           [services.s]\nargs = [\"--pw\", \"canary-3\"]\nheaders = [\"X-Api-Key\", \"canary-4\"]\n\
           nested.pass.value = \"canary-5\"\nhook = \"https://hooks.slack.com/services/T0/B0/canary-6\"\n"
        + &keys;
    let cloud = ControlPlane::start().await;
    let options = InProcessGatewayOptions { sections, interval: 0, ..InProcessGatewayOptions::default() };
    let gateway = InProcessGateway::with(&cloud, options).await;
    let deep = format!("{}{{\"a\":\"Bearer canary\"}}{}", "[".repeat(200), "]".repeat(200));
    let transforms = [
        &*deep,
        r#"[{"spec":{"pass":"canary"}}]"#,
        r#"[{"headers":["X-Api-Key","canary"]}]"#,
        r#"[{"name":"X-Api-Key","value":"canary"}]"#,
        r#"[{"spec":{"password":"canary"},"spec":1}]"#,
        r#"[{"Bearer canary":1}]"#,
    ];
    for (n, transform) in transforms.iter().enumerate() {
        gateway.dir.write(&format!("transforms/t{n}.json"), transform);
    }
    gateway.dir.write("transforms/plain.json", r#"[{"operation":"shift","spec":{"id":"patient.id"}}]"#);
    gateway.host.reload().await.expect("a verdict");
    let report = gateway.host.push().await.expect("pushed");
    assert_eq!((report.transform_count, report.kept_count), (1, transforms.len()), "{report}");
    assert!(report.to_string().contains("0 pipelines, 1 transform, 0 meshes"), "{report}");
    let sent = format!("{:?}", cloud.requests());
    assert!(sent.contains("[services.s]") && !sent.contains("canary"), "{sent}");
}

/// A change that brings a secret is written for its owner only, by whatever name the secret goes.
#[tokio::test]
async fn secrets_of_many_names_are_the_owners() {
    let cloud = ControlPlane::start().await;
    let gateway = InProcessGateway::following(&cloud).await;
    for (n, line) in ["pass = \"x\"", "pw = \"x\"", "args = [\"--pass\", \"x\"]"].iter().enumerate() {
        let name = format!("p{n}");
        let toml = echo(&name, &format!("/{name}")) + &format!("[services.{name}]\n{line}\n");
        let change = cloud.change("edge", "pipeline", &toml);
        assert_eq!(cloud.wait_until_settled(&change).await.status, Status::Applied);
        let file = gateway.dir.path().join(format!("pipelines/{name}.toml"));
        let mode = std::fs::metadata(&file).expect("the file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{line}");
    }
}

/// A variable that is set and blank counts as unset: the gateway starts, and the CLI uses the token of the configuration.
#[tokio::test]
async fn a_blank_variable_is_unset() {
    let dir = workdir(&echo("a", "/a"));
    dir.edit("config.toml", "enabled = true", "enabled = true\ntoken = \"0123456789abcdef0123456789abcdef\"");
    let names = [
        "HARMONY_STATE_DIR",
        "STATE_DIRECTORY",
        "RUNBEAM_PUSH_CONFIG_ON_STARTUP",
        "HARMONY_CONFIG",
        "RUST_LOG",
        "HARMONY_MANAGEMENT_TOKEN",
        "RUNBEAM_MACHINE_TOKEN",
        "RUNBEAM_ENCRYPTION_KEY",
        "RUNBEAM_ACCEPT_INVALID_CERTS",
        "NO_COLOR",
    ];
    for blank in ["", " \t"] {
        let environment = names.map(|name| (name, blank));
        let mut gateway = Gateway::spawn_program(&binary(), &dir.config(), &[], &environment);
        gateway.wait_until_ready().await;
        assert!(dir.path().join(".runbeam").is_dir(), "the state is in the default place");
        let mut status = tokio::process::Command::new(binary());
        status.arg("status").arg("--config").arg(dir.config()).envs(environment);
        let output = status.output().await.expect("harmony-host runs");
        assert_ne!(
            output.status.code(),
            Some(4),
            "a blank token replaced that of the configuration: {output:?}"
        );
        assert!(!output.stdout.is_empty(), "{output:?}");
        gateway.signal("TERM").await;
        assert_eq!(gateway.exit_code().await, 0);
    }
}

/// A file with a secret has the mode 0600 when a change writes it, also one that had another mode. Readable files with secrets and weak secrets cause
/// warnings.
#[tokio::test]
async fn secret_files_are_private() {
    let cloud = ControlPlane::start().await;
    let sections =
        echo("records", "/records") + &ingress("records", "in", "http://records.example/x", "mesh");
    let options = InProcessGatewayOptions { sections, ..InProcessGatewayOptions::default() };
    let gateway = InProcessGateway::with(&cloud, options).await;
    let mode =
        |name: &str| fs::metadata(gateway.dir.path().join(name)).expect(name).permissions().mode() & 0o777;
    let apply = async |kind: &str, toml: &str| {
        let change = cloud.change("edge", kind, toml);
        assert_eq!(cloud.wait_until_settled(&change).await.status, Status::Applied, "{toml}");
    };
    apply("mesh", &mesh("clinic", "in")).await;
    assert_eq!(mode("mesh/clinic.toml"), 0o600, "a new file with a secret");
    fs::set_permissions(gateway.dir.path().join("mesh/clinic.toml"), Permissions::from_mode(0o640))
        .expect("a mode");
    apply("mesh", &mesh("clinic", "in").replace("auth_type", "description = \"d\"\nauth_type")).await;
    assert_eq!(mode("mesh/clinic.toml"), 0o600, "a replaced file with a secret");
    let transform = |key: &str| format!("[transform.t]\ninstructions = '{{\"{key}\":\"x\"}}'\n");
    apply("transform", &transform("id")).await;
    assert_eq!(mode("transforms/t.json"), 0o644, "a file without a secret");
    apply("transform", &transform("password")).await;
    assert_eq!(mode("transforms/t.json"), 0o600, "a transform with a secret");
    apply("transform", &transform("other")).await;
    assert_eq!(mode("transforms/t.json"), 0o600, "the mode of a replaced file stays");
    fs::set_permissions(gateway.dir.path().join("mesh/clinic.toml"), Permissions::from_mode(0o640))
        .expect("a mode");
    let shown = checked(&gateway.dir, 0);
    assert!(shown.contains("mesh/clinic.toml: this file holds a secret, and its group can read"), "{shown}");
    gateway.dir.edit("mesh/clinic.toml", SECRET, "mesh-test-secret-key-change-in-production");
    fs::set_permissions(gateway.dir.path().join("mesh/clinic.toml"), Permissions::from_mode(0o600))
        .expect("a mode");
    let shown = checked(&gateway.dir, 0);
    assert!(shown.contains("in public examples") && !shown.contains("holds a secret, and"), "{shown}");
    gateway.dir.edit("mesh/clinic.toml", "mesh-test-secret-key-change-in-production", "short");
    assert!(checked(&gateway.dir, 0).contains("this secret has 5 bytes"));
}

/// A file that looks like a document and is not read causes a warning. The log names a pipeline whose file became empty.
#[tokio::test]
async fn files_beside_the_known_ones_are_named() {
    let dir = workdir(&echo("a", "/a"));
    dir.write("pipelines/b.toml", &echo("b", "/b"));
    for name in [
        "pipelines/x.tml",
        "pipelines/sub/x.toml",
        "mesh/y.TOML",
        "pipelines/old.toml.bak",
        "pipelines/.z.toml",
        "pipelines/one/two/x.toml",
        "pipeline/x.toml",
        "meshes/x.toml",
        "Transforms/x.json",
        "transform/notes.txt",
        "other/x.toml",
    ] {
        dir.write(name, "");
    }
    let shown = checked(&dir, 0);
    for name in [
        "pipelines/x.tml",
        "pipelines/sub/x.toml",
        "mesh/y.TOML",
        "pipelines/one/two/x.toml",
        "pipeline/x.toml",
        "meshes/x.toml",
        "Transforms/x.json",
    ] {
        assert!(shown.contains(&format!("{name}: this file is not read")), "{name}: {shown}");
    }
    assert_eq!(shown.matches("this file is not read").count(), 7, "{shown}");
    let gateway = Gateway::start(&dir.config()).await;
    dir.write("pipelines/b.toml", "");
    gateway.wait_for_log("a pipeline is gone").await;
    let log = gateway.log();
    let line = log.lines().find(|line| line.contains("a pipeline is gone")).unwrap_or_default();
    assert!(line.contains("\"b\"") && line.contains("pipelines/b.toml") && line.contains("empty"), "{line}");
}

/// Returns the output of `harmony-host check` for the files in `dir`. The exit code must be `code`.
fn checked(dir: &Workdir, code: i32) -> String {
    let mut command = std::process::Command::new(harmony_tests::binary());
    let output = command.args(["check", "--config"]).arg(dir.config()).output().expect("harmony-host runs");
    let shown = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert_eq!(output.status.code(), Some(code), "{shown}");
    shown
}

/// A mesh whose secret is in the environment, and a pipeline that only it may reach.
fn guarded() -> String {
    echo("records", "/records")
        + &ingress("records", "in", "http://records.example/x", "mesh")
        + &mesh("clinic", "in").replace(SECRET, "$MESH_SECRET")
}

/// A secret from the environment is the key, and the text `$MESH_SECRET` is none: a token signed with it is refused.
#[tokio::test]
async fn env_substitution_secret() {
    let port = free_port();
    let config = on_ports(&format!("{BASE}{}", guarded()), port, free_port());
    let config = config
        .replace("id = \"site\"", "id = \"site\"\nrequired_env_vars = [\"MESH_SECRET\", \"UNSET_ONE\"]");
    let dir = Workdir::with([("config.toml", config)]);
    // Not set, or blank: refused, with every missing variable at its place.
    for value in [None, Some("  ")] {
        let environment: Vec<_> = value.map(|value| ("MESH_SECRET", value)).into_iter().collect();
        let mut gateway = Gateway::spawn_program(&binary(), &dir.config(), &[], &environment);
        assert_eq!(gateway.exit_code().await, 1);
        for expected in [
            "the variable MESH_SECRET is",
            "the variable UNSET_ONE is not set",
            "3 problems",
            "config.toml:4",
        ] {
            gateway.wait_for_log(expected).await;
        }
    }
    let secret = "s3cret \"of\" {the} environment, long enough";
    let environment = [("MESH_SECRET", secret), ("UNSET_ONE", "1")];
    let mut gateway = Gateway::spawn_program(&binary(), &dir.config(), &["--log", "trace"], &environment);
    gateway.wait_until_ready().await;
    let get = async |key: &str| {
        let token = Forged::of("clinic").signed_with(key.as_bytes()).jwt();
        let request = client().get(format!("http://127.0.0.1:{port}/records")).bearer_auth(token);
        request.send().await.expect("an answer").status().as_u16()
    };
    assert_eq!(get(secret).await, 200);
    for forged in ["$MESH_SECRET", "${MESH_SECRET}", "MESH_SECRET", ""] {
        assert_eq!(get(forged).await, 403, "{forged}");
    }
    // The value is in no file that the gateway wrote, and in no line of its log.
    assert!(!gateway.log().contains("s3cret"), "{}", gateway.log());
    let saved =
        eventually("a saved generation", || async { saved_generation(dir.path()).ok_or("none") }).await;
    assert!(saved.contains("$MESH_SECRET") && !saved.contains("s3cret"), "{saved}");
}

/// The text of a saved generation below `directory`.
fn saved_generation(directory: &Path) -> Option<String> {
    fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path()).find_map(|path| {
        match path.is_dir() {
            true => saved_generation(&path),
            false => {
                path.extension().is_some_and(|e| e == "generation").then(|| fs::read_to_string(path).ok())?
            }
        }
    })
}

/// Documents of a control plane may use the variables that the local `remote_env_vars` names, and no other, also after an
/// edit by hand and a restart; no change may set that key.
#[tokio::test]
async fn remote_documents_use_permitted_variables_only() {
    let cloud = ControlPlane::start().await;
    let mut gateway = GatewayProcess::following(&cloud).await;
    let named = |variable: &str, name: &str| {
        echo(name, &format!("/{name}"))
            .replace("networks", &format!("description = \"x {variable}\"\nnetworks"))
    };
    let settle = async |kind: &str, toml: &str| {
        let change = cloud.change("edge", kind, toml);
        let view = cloud.wait_until_settled(&change).await;
        (view.status, format!("{:?} {:?}", view.error_message, view.error_details))
    };
    // The answer is the same for a variable that is set and one that is not.
    for variable in ["$HOME", "${HOME}", "$NOT_SET_ANYWHERE"] {
        let (status, reason) = settle("pipeline", &named(variable, "a")).await;
        assert_eq!(status, Status::Failed, "{variable}");
        assert!(reason.contains("remote_env_vars") && !reason.contains("is not set"), "{reason}");
    }
    let (status, reason) =
        settle("gateway", "[remote_ingress.x]\nurls = [\"http://a.example/$HOME\"]\n").await;
    assert!(status == Status::Failed && reason.contains("remote_env_vars"), "{reason}");
    let (status, reason) = settle("gateway", "[proxy]\nremote_env_vars = [\"HOME\"]\n").await;
    assert!(status == Status::Failed && reason.contains("proxy.remote_env_vars"), "{reason}");

    gateway.dir.edit("config.toml", "id = \"edge\"", "id = \"edge\"\nremote_env_vars = [\"HOME\"]");
    let (status, reason) = settle("pipeline", &named("$HOME", "a")).await;
    assert_eq!((status, gateway.status_code("/a").await), (Status::Applied, 200), "{reason}");
    assert!(gateway.dir.read("pipelines/a.toml").contains("x $HOME"), "the text stays what it was");

    // A file of the operator may use any; one of the control plane may not, though an operator has edited it.
    gateway.dir.write("pipelines/own.toml", &named("$HARMONY_DISK_FAULT", "own"));
    eventually("the local file is live", || async {
        if gateway.status_code("/own").await == 200 { Ok(()) } else { Err(gateway.gateway.log()) }
    })
    .await;
    gateway.dir.edit("pipelines/a.toml", "x $HOME", "by hand $HARMONY_DISK_FAULT");
    gateway.wait_for_reason(&["remote_env_vars", "HARMONY_DISK_FAULT"]).await;
    gateway.kill().await;
    gateway.restart().await;
    gateway.wait_for_reason(&["remote_env_vars", "HARMONY_DISK_FAULT"]).await;
}

/// A change of config.toml keeps a variable outside of a string, and what a change could not write is no longer held
/// against the file.
#[tokio::test]
async fn a_change_keeps_bare_variables() {
    let cloud = ControlPlane::start().await;
    let sections = "[targets.t]\nconnection.host = \"a.example\"\ntimeout_secs = $TIMEOUT # ours\n";
    let mut gateway = GatewayProcess::following(&cloud).await;
    let config = gateway.dir.read("config.toml") + sections;
    gateway.kill().await;
    gateway.dir.write("config.toml", &config);
    gateway.restart_with_environment(&[("TIMEOUT", "7")]).await;
    let change = cloud.change("edge", "gateway", "[logging]\nlevel = \"debug\"\n");
    let view = cloud.wait_until_settled(&change).await;
    assert_eq!(view.status, Status::Applied, "{view:?}");
    let written = gateway.dir.read("config.toml");
    assert!(
        written.contains("timeout_secs = $TIMEOUT # ours") && written.contains("level = \"debug\""),
        "{written}"
    );
}
