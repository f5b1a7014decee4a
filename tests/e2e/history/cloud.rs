//! Rollbacks of documents that a control plane manages, also over a read-only configuration.

use harmony_tests::control_plane::{ControlPlane, Status};
use harmony_tests::{GatewayProcess, Mount};

use super::*;

/// Runs a command for a gateway that follows a control plane.
async fn run_for(process: &GatewayProcess, arguments: &[&str]) -> Ran {
    let mut command = Command::new(binary());
    command.args(arguments).arg("--config").arg(process.dir.config()).env("HOME", process.home.path());
    for name in ["RUST_LOG", "HARMONY_CONFIG", "HARMONY_MANAGEMENT_TOKEN", "HARMONY_STATE_DIR"] {
        command.env_remove(name);
    }
    let output = command.stdin(std::process::Stdio::null()).output().await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
}

async fn applied(cloud: &ControlPlane, process: &GatewayProcess, toml: &str) -> (String, u64) {
    let change = cloud.put_document("edge", "pipeline", toml);
    assert_eq!(cloud.wait_until_settled(&change).await.status, Status::Applied);
    process.wait_for_sync().await;
    (change, process.provider_status().await["effective"]["generation"].as_u64().unwrap())
}

/// The control plane keeps its version, and the gateway says so until a newer change comes.
async fn rolled_back(mount: Mount) {
    let cloud = ControlPlane::start().await;
    let dir = Workdir::new();
    std::fs::create_dir(dir.path().join("pipelines")).unwrap();
    let process = GatewayProcess::mounted(&cloud, free_port(), "", dir, mount).await.expect("a mount");
    let mut process = process;
    let (_, one) = applied(&cloud, &process, &echo("api", "/one")).await;
    let (second, two) = applied(&cloud, &process, &echo("api", "/two")).await;
    assert!(two > one);
    let history = run_for(&process, &["history", "--json"]).await.assert_code(0).json();
    let entry = &history["entries"][0];
    assert_eq!(
        (&entry["cause"]["kind"], &entry["cause"]["changes"][0]["id"]),
        (&"change".into(), &second.as_str().into())
    );
    assert_eq!(entry["cause_text"], format!("pipeline change {second} of runbeam"));
    let base: Vec<PathBuf> = files_below(process.dir.path());

    let to = one.to_string();
    let ran = run_for(&process, &["rollback", &to, "--yes"]).await.assert_code(0);
    ran.assert_contains(&[&second, "does not send it again", cloud.url(), "newer change"]);
    assert_eq!((process.status_code("/one").await, process.status_code("/two").await), (200, 404));
    let status = process.wait_for_reason(&["rolled back to generation", "pipelines/api.toml", &second]).await;
    assert_eq!(
        (&status["unknown"], &status["rolled_back"][0]["change"]),
        (&false.into(), &second.as_str().into())
    );
    run_for(&process, &["status"]).await.assert_code(7).assert_contains(&["NOT in sync", "rolled back"]);
    if mount == Mount::ReadOnly {
        assert_eq!(files_below(process.dir.path()), base, "no mounted file is written");
        let overlay = &status["overlay"]["files"];
        assert!(overlay.to_string().contains("to generation"), "{overlay:#}");
    }

    // A sync brings nothing back, and neither does a restart.
    run_for(&process, &["sync"]).await.assert_code(7);
    process.kill().await;
    process.restart().await;
    assert_eq!((process.status_code("/one").await, process.status_code("/two").await), (200, 404));
    process.wait_for_reason(&["rolled back to generation", &second]).await;

    // Forward again: what the control plane has is served, and the gateway is in sync.
    run_for(&process, &["rollback", &two.to_string(), "--yes"]).await.assert_code(0);
    assert_eq!((process.status_code("/one").await, process.status_code("/two").await), (404, 200));
    process.wait_for_sync().await;

    // A newer change replaces what was rolled back.
    run_for(&process, &["rollback", &to, "--yes"]).await.assert_code(0);
    process.wait_for_reason(&["rolled back"]).await;
    let (_, three) = applied(&cloud, &process, &echo("api", "/three")).await;
    assert_eq!(process.status_code("/three").await, 200);

    // Before the first change there was no such file.
    let first = run_for(&process, &["history", "--json"]).await.json()["oldest"].to_string();
    run_for(&process, &["rollback", &first, "--yes"]).await.assert_code(0);
    assert_eq!(process.status_code("/three").await, 404);
    run_for(&process, &["rollback", &three.to_string(), "--yes"]).await.assert_code(0);
    assert_eq!(process.status_code("/three").await, 200);
    process.wait_for_sync().await;
    assert!(cloud.violations().is_empty(), "{:?}", cloud.violations());
}

#[tokio::test]
async fn a_document_of_the_control_plane_is_rolled_back() {
    rolled_back(Mount::Writable).await;
}

#[tokio::test]
async fn over_a_read_only_configuration() {
    rolled_back(Mount::ReadOnly).await;
}

/// A change that is refused is in the history with its id, and drives out no generation.
#[tokio::test]
async fn rejected_changes_are_listed() {
    let cloud = ControlPlane::start().await;
    let process = GatewayProcess::following(&cloud).await;
    let change = cloud.put_document("edge", "pipeline", "[pipelines.api]\nnetworks = [\"nowhere\"]\n");
    assert_eq!(cloud.wait_until_settled(&change).await.status, Status::Failed);
    let history = Gateway::management(process.admin, "history").await;
    let entry = &history["entries"][0];
    assert_eq!(
        (&entry["verdict"], &entry["cause"]["changes"][0]["id"]),
        (&"rejected".into(), &change.as_str().into())
    );
    assert!(entry["problem"].as_str().unwrap().contains("nowhere"), "{entry:#}");
    eventually("the rejection is in the audit log", || async {
        let ran = run_for(&process, &["audit"]).await.assert_code(0);
        let is_there =
            ["apply rejected", &change, "provider runbeam"].iter().all(|text| ran.out.contains(text));
        if is_there { Ok(()) } else { Err(ran.out.clone()) }
    })
    .await;
}

/// A push of what is served ends the note.
#[tokio::test]
async fn a_push_ends_the_difference() {
    let cloud = ControlPlane::start().await;
    let process = GatewayProcess::following(&cloud).await;
    let (_, one) = applied(&cloud, &process, &echo("api", "/one")).await;
    applied(&cloud, &process, &echo("api", "/two")).await;
    run_for(&process, &["rollback", &one.to_string(), "--yes"]).await.assert_code(0);
    process.wait_for_reason(&["rolled back"]).await;
    let url = format!("http://127.0.0.1:{}/admin/update", process.admin);
    let pushed: Value = harmony_tests::client().post(url).send().await.unwrap().json().await.unwrap();
    assert_eq!(pushed["success"], true, "{pushed:#}");
    process.wait_for_sync().await;
    assert_eq!(process.status_code("/one").await, 200);
}
