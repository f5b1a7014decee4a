//! A configuration that is mounted read-only: changes land in an overlay in the state directory.

mod by_hand;
mod kills;
mod layout;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use harmony_tests::control_plane::{ControlPlane, Status};
use harmony_tests::disk::files_below;
use harmony_tests::site::{echo, mesh};
use harmony_tests::{GatewayProcess, Mount, SECRET, Workdir, binary, client, eventually, free_port};
use serde_json::Value;
use tokio::process::Command;

/// Starts a control plane, and a gateway on these files, mounted read-only for it.
async fn read_only(files: &[(&str, String)]) -> (ControlPlane, GatewayProcess) {
    let cloud = ControlPlane::start().await;
    let dir = Workdir::with(files.iter().map(|(name, text)| (*name, text.clone())));
    let process = GatewayProcess::mounted(&cloud, free_port(), "", dir, Mount::ReadOnly).await;
    (cloud, process.expect("a read-only mount can be simulated"))
}

/// Issues a change, and waits until it is settled as `expected`. Returns its id and its reason.
async fn settled(cloud: &ControlPlane, kind: &str, toml: &str, expected: Status) -> (String, String) {
    let id = cloud.change("edge", kind, toml);
    let view = cloud.wait_until_settled(&id).await;
    let reason = format!("{:?} {:?}", view.error_message, view.error_details);
    assert_eq!(view.status, expected, "{reason}");
    (id, reason)
}

async fn applied(cloud: &ControlPlane, kind: &str, toml: &str) -> String {
    settled(cloud, kind, toml, Status::Applied).await.0
}

/// Waits until the overlay in the status is as `expected`.
async fn wait_for_overlay(process: &GatewayProcess, what: &str, expected: impl Fn(&Value) -> bool) -> Value {
    eventually(what, || async {
        let overlay = process.provider_status().await["overlay"].clone();
        if expected(&overlay) { Ok(overlay) } else { Err(format!("{overlay:#}\n{}", process.gateway.log())) }
    })
    .await
}

async fn wait_for_code(process: &GatewayProcess, path: &str, code: u16) {
    eventually(&format!("{path} answers {code}"), || async {
        let found = process.status_code(path).await;
        if found == code { Ok(()) } else { Err(format!("{found}\n{}", process.gateway.log())) }
    })
    .await;
}

/// Returns the file of the overlay with this name, as the status has it.
fn file<'o>(overlay: &'o Value, name: &str) -> &'o Value {
    let all = overlay["files"].as_array().expect("files");
    all.iter().find(|file| file["file"] == name).unwrap_or(&Value::Null)
}

/// Returns the directory of the overlay.
async fn directory(process: &GatewayProcess) -> PathBuf {
    let status = process.provider_status().await;
    PathBuf::from(status["overlay"]["directory"].as_str().unwrap_or_else(|| panic!("{status:#}")))
}

/// Returns the names and bytes of all files below a directory.
fn bytes(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    files_below(root).into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

/// Runs a command of the gateway program on the configuration, and returns its output.
async fn run(process: &GatewayProcess, arguments: &[&str]) -> String {
    let program = tokio::task::spawn_blocking(binary).await.unwrap();
    let mut command = Command::new(program);
    command.args(arguments).arg("--config").arg(process.dir.config()).env("HOME", process.home.path());
    for name in ["HARMONY_CONFIG", "HARMONY_STATE_DIR", "STATE_DIRECTORY", "HARMONY_MANAGEMENT_TOKEN"] {
        command.env_remove(name);
    }
    let output = command.output().await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    text(output.stdout) + &text(output.stderr)
}

/// Changes are live, outlive a restart, and are shown; the files on the disk stay as they are.
#[tokio::test]
async fn configuration_mounted_read_only() {
    let mine = echo("mine", "/mine");
    let (cloud, mut process) = read_only(&[("pipelines/mine.toml", mine.clone())]).await;
    let base = bytes(process.dir.path());
    let first = applied(&cloud, "pipeline", &echo("first", "/first")).await;
    let second = applied(&cloud, "pipeline", &echo("mine", "/moved")).await;
    let gateway = applied(&cloud, "gateway", "[provider.runbeam]\npoll_interval_secs = 2\n").await;
    let secret = applied(&cloud, "mesh", &mesh("m", "i").replace("[\"i\"]", "[]")).await;
    let check_live = async |process: &GatewayProcess| {
        let codes = ["/first", "/moved", "/mine"].map(|path| process.status_code(path));
        let codes = futures_util::future::join_all(codes).await;
        assert_eq!(codes, [200, 200, 404], "{}", process.gateway.log());
        assert_eq!(bytes(process.dir.path()), base, "the base stays");
        let status = process.provider_status().await;
        assert_eq!(status["provider"]["polling"], "every 2 s");
        let overlay = &status["overlay"];
        let reason = overlay["read_only"][0]["reason"].as_str().unwrap();
        assert!(reason.contains("read-only filesystem"), "{overlay:#}");
        assert_eq!(overlay["files"].as_array().unwrap().len(), 4, "{overlay:#}");
        for (name, kind, change) in [
            ("pipelines/first.toml", "pipeline", &first),
            ("pipelines/mine.toml", "pipeline", &second),
            ("config.toml", "gateway", &gateway),
            ("mesh/m.toml", "mesh", &secret),
        ] {
            let file = file(overlay, name);
            assert_eq!((&file["kind"], &file["change"]), (&kind.into(), &change.as_str().into()), "{file:#}");
            assert_eq!(file["base"], process.dir.path().join(name).display().to_string());
            assert!(file["at"].as_str().unwrap().parse::<jiff::Timestamp>().is_ok(), "{file:#}");
        }
    };
    check_live(&process).await;
    process.gateway.wait_for_log("the configuration is read-only").await;
    let overlay = directory(&process).await;
    assert!(fs::read_to_string(overlay.join("mesh/m.toml")).unwrap().contains(SECRET));
    for path in files_below(overlay.parent().unwrap()) {
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700), "{}", path.display());
    }

    let shown = run(&process, &["status"]).await;
    for words in [
        format!("pipelines/mine.toml (pipeline change {second}, "),
        format!("instead of {}", process.dir.path().join("pipelines/mine.toml").display()),
        format!("4 files in {}", overlay.display()),
        "(read-only filesystem".to_owned(),
    ] {
        assert!(shown.contains(&words), "no {words:?} in {shown}");
    }
    let checked = run(&process, &["check"]).await;
    let from = format!("from the overlay: {}", overlay.join("pipelines/first.toml").display());
    assert!(checked.contains(&from) && checked.contains("2 pipelines"), "{checked}");

    process.kill().await;
    process.restart().await;
    check_live(&process).await;
    process.wait_for_sync().await;

    // What goes up to the control plane is what is served.
    let url = format!("http://127.0.0.1:{}/admin/update", process.admin);
    let answer: Value = client().post(url).send().await.unwrap().json().await.unwrap();
    assert_eq!(answer["success"], true, "{answer}");
    let pushed = cloud.document("edge", "pipeline", "mine").unwrap();
    assert!(pushed.contains("/moved"), "{pushed}");
    assert!(cloud.violations().is_empty(), "{:?}", cloud.violations());
}

/// A change that is rejected, before it is written or after, leaves the overlay as it was.
#[tokio::test]
async fn configuration_mounted_read_only_rejected_change() {
    let (cloud, process) = read_only(&[("pipelines/mine.toml", echo("mine", "/mine"))]).await;
    applied(&cloud, "pipeline", &echo("mine", "/moved")).await;
    let overlay = directory(&process).await;
    let before = bytes(&overlay);
    let invalid = echo("bad", "/bad").replace("endpoints = [\"bad\"]", "endpoints = [\"nowhere\"]");
    let guarded = "[management]\nenabled = false\n";
    for (kind, toml) in [("pipeline", &*invalid), ("gateway", guarded)] {
        settled(&cloud, kind, toml, Status::Failed).await;
        assert_eq!(bytes(&overlay), before);
    }
    process.home.replace("probe-fault", "injected probe failure");
    for toml in [echo("mine", "/again"), echo("new", "/new")] {
        let (_, reason) = settled(&cloud, "pipeline", &toml, Status::Failed).await;
        assert!(reason.contains("injected probe failure"), "{reason}");
        assert_eq!(bytes(&overlay), before);
    }
    process.home.remove("probe-fault");
    assert_eq!((process.status_code("/moved").await, process.status_code("/mine").await), (200, 404));
    applied(&cloud, "pipeline", &echo("mine", "/last")).await;
    assert_eq!(process.status_code("/last").await, 200);
}

/// A file in the overlay stays a document of the control plane; the base below it stays the operator's.
#[tokio::test]
async fn configuration_mounted_read_only_provenance() {
    let named = |variable: &str| {
        echo("mine", "/mine").replace("networks", &format!("description = \"{variable}\"\nnetworks"))
    };
    let (cloud, mut process) = read_only(&[("pipelines/mine.toml", named("$HARMONY_PROBE_FAULT"))]).await;
    let (_, reason) = settled(&cloud, "pipeline", &named("a $HARMONY_PROBE_FAULT"), Status::Failed).await;
    assert!(reason.contains("remote_env_vars"), "{reason}");
    applied(&cloud, "pipeline", &named("b")).await;
    let path = directory(&process).await.join("pipelines/mine.toml");
    assert_eq!(fs::read_to_string(&path).unwrap(), named("b"));
    // An edit of the overlay by hand makes it no document of the operator.
    fs::write(&path, named("by hand $HARMONY_PROBE_FAULT")).unwrap();
    let refused = ["files were rejected", "remote_env_vars", "HARMONY_PROBE_FAULT"];
    let status = process.wait_for_reason(&refused).await;
    assert_eq!(status["attempted"]["problems"][0]["overlay"], path.display().to_string(), "{status:#}");
    process.gateway.wait_for_log(&format!("{}:2 (instead of pipelines/mine.toml)", path.display())).await;
    process.kill().await;
    process.restart().await;
    process.wait_for_reason(&refused).await;
    // Without the file in the overlay, the variable of the base is the operator's again.
    fs::remove_file(&path).unwrap();
    process.wait_for_sync().await;
    process.kill().await;
    process.restart().await;
    process.wait_for_sync().await;
    assert_eq!(process.status_code("/mine").await, 200);
}
