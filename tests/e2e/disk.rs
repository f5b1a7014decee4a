//! Failing disks and missing files: the gateway keeps serving, reports the failure, and recovers by itself.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use harmony_tests::control_plane::{ControlPlane, Status};
use harmony_tests::site::echo;
use harmony_tests::{GatewayProcess, InProcessGateway, InProcessGatewayOptions, OffsetClock, eventually};

/// Starts a control plane and a gateway that has applied one change.
async fn serving() -> (ControlPlane, GatewayProcess) {
    let cloud = ControlPlane::start().await;
    let process = GatewayProcess::following(&cloud).await;
    let first = cloud.put_document("edge", "pipeline", &echo("first", "/first"));
    assert_eq!(cloud.wait_until_settled(&first).await.status, Status::Applied);
    (cloud, process)
}

/// Checks that a valid change is applied, that the first one is still served, and that the protocol was not violated.
async fn check_recovered(cloud: &ControlPlane, process: &GatewayProcess) {
    let next = cloud.put_document("edge", "pipeline", &echo("next", "/next"));
    assert_eq!(cloud.wait_until_settled(&next).await.status, Status::Applied);
    assert_eq!((process.status_code("/next").await, process.status_code("/first").await), (200, 200));
    // The status shows a rejected change until a newer one replaces it, so `in_sync` is not compared.
    eventually("the gateway is idle", || async {
        let status = process.provider_status().await;
        let (sync, served) = (&status["sync"], status["effective"]["digest"] == status["desired"]["digest"]);
        let idle = sync["unsettled"] == 0 && sync["undelivered"] == 0 && sync["failure"].is_null();
        if served && idle { Ok(()) } else { Err(status) }
    })
    .await;
    assert!(cloud.violations().is_empty(), "{:?}", cloud.violations());
}

/// Makes the configuration unwritable, but not the journal: a change is rejected with class, file and `message`, and
/// the next change is applied.
async fn check_rejected(errno: u8, message: &str) {
    let (cloud, process) = serving().await;
    process.fail_disk(&format!("{errno} pipelines/"));
    let change = cloud.put_document("edge", "pipeline", &echo("later", "/later"));
    let view = cloud.wait_until_settled(&change).await;
    assert_eq!(view.status, Status::Failed);
    let reason = view.error_message.unwrap_or_default();
    assert!(reason.starts_with("build: ") && reason.contains("pipelines/later.toml"), "{reason}");
    assert!(reason.contains(message), "{reason}");
    process.wait_for_reason(&["rejected (build)", "pipelines/later.toml", message]).await;
    process.gateway.wait_for_log(message).await;
    assert_eq!((process.status_code("/first").await, process.status_code("/later").await), (200, 404));
    assert!(!process.dir.path().join("pipelines/later.toml").exists());
    process.heal_disk();
    check_recovered(&cloud, &process).await;
    assert_eq!(process.status_code("/later").await, 404, "the rejected change is not served");
    assert_eq!(cloud.view(&change).status, Status::Failed);
}

/// While the saved configurations cannot be listed none is saved, none gets a number that was used, and `status` says so.
#[tokio::test]
async fn an_unlistable_directory_renumbers_no_generation() {
    let (cloud, mut process) = serving().await;
    for n in 0..3 {
        process.dir.replace("pipelines/mine.toml", &echo("mine", &format!("/mine-{n}")));
        eventually("the edit is saved", || async {
            process.has_saved(&format!("/mine-{n}")).then_some(()).ok_or(n)
        })
        .await;
    }
    process.fail_disk("5 /list");
    process.dir.replace("pipelines/mine.toml", &echo("mine", "/last"));
    eventually("the failure is reported", || async {
        let status = process.provider_status().await;
        let failure = status["last_good"]["failure"].as_str().unwrap_or_default().to_owned();
        if failure.contains("the disk reports an error") { Ok(()) } else { Err(status["last_good"].clone()) }
    })
    .await;
    assert!(!process.has_saved("/last"));
    process.heal_disk();
    eventually("the edit is saved", || async {
        process.has_saved("/last").then_some(()).ok_or(process.provider_status().await["last_good"].clone())
    })
    .await;
    process.kill().await;
    process.dir.write("pipelines/mine.toml", "[pipelines.mine\n");
    process.restart().await;
    assert_eq!((process.status_code("/last").await, process.status_code("/mine-2").await), (200, 404));
    assert!(cloud.violations().is_empty(), "{:?}", cloud.violations());
}

#[tokio::test]
async fn a_full_disk_rejects_a_change() {
    check_rejected(28, "No space left on device").await;
}

#[tokio::test]
async fn a_read_only_disk_rejects_a_change() {
    check_rejected(30, "Read-only file system").await;
}

#[tokio::test]
async fn a_directory_without_permission_rejects_a_change() {
    check_rejected(13, "Permission denied").await;
}

/// A change waits while the journal cannot be written, and the status has the reason.
#[tokio::test]
async fn changes_wait_while_the_journal_cannot_be_written() {
    let (cloud, process) = serving().await;
    process.fail_disk("28");
    let change = cloud.put_document("edge", "pipeline", &echo("later", "/later"));
    process.wait_for_reason(&["the journal cannot be written", "No space left on device"]).await;
    process.gateway.wait_for_log("the journal cannot be written").await;
    assert_eq!(
        cloud.view(&change).status,
        Status::Pending,
        "a change that is not in the journal is not acknowledged"
    );
    assert_eq!((process.status_code("/first").await, process.status_code("/later").await), (200, 404));
    process.heal_disk();
    assert_eq!(cloud.wait_until_settled(&change).await.status, Status::Applied);
    assert_eq!(process.status_code("/later").await, 200);
    check_recovered(&cloud, &process).await;
}

/// A gateway on a full disk starts and serves; it saves the generation when the disk has space again.
#[tokio::test]
async fn a_start_on_a_full_disk_serves() {
    let (cloud, mut process) = serving().await;
    process.kill().await;
    process.dir.write("pipelines/mine.toml", &echo("mine", "/mine"));
    process.fail_disk("28");
    process.restart().await;
    assert_eq!((process.status_code("/first").await, process.status_code("/mine").await), (200, 200));
    eventually("the generation cannot be saved", || async {
        let last_good = process.provider_status().await["last_good"].clone();
        if last_good["failure"].to_string().contains("No space left") { Ok(()) } else { Err(last_good) }
    })
    .await;
    process.heal_disk();
    eventually("the generation is saved", || async {
        let last_good = process.provider_status().await["last_good"].clone();
        if last_good["failure"].is_null() && last_good["at"].is_string() { Ok(()) } else { Err(last_good) }
    })
    .await;
    assert!(process.has_saved("/mine"));
    check_recovered(&cloud, &process).await;
}

/// A change whose files cannot be rolled back gets no verdict until they are.
#[tokio::test]
async fn no_verdict_until_the_files_are_rolled_back() {
    let (cloud, process) = serving().await;
    let probe = process.home.path().join("probe-fault");
    // The probe reads its fault from a named pipe, so it blocks in the middle of the change until this test writes.
    assert!(Command::new("mkfifo").arg(&probe).status().unwrap().success());
    let change = cloud.put_document("edge", "pipeline", &echo("later", "/later"));
    let opened = {
        let probe = probe.clone();
        tokio::task::spawn_blocking(move || fs::OpenOptions::new().write(true).open(probe).unwrap())
    };
    let mut pipe = opened.await.unwrap();
    assert!(process.dir.path().join("pipelines/later.toml").exists(), "the change is written and live");
    process.fail_disk("28 pipelines/");
    process.home.replace("probe-fault", "injected probe failure");
    pipe.write_all(b"injected probe failure").unwrap();
    drop(pipe);
    process.gateway.wait_for_log("the files of an earlier attempt cannot be restored").await;
    assert_eq!(cloud.view(&change).status, Status::Acknowledged);
    // Each later attempt with the remaining file is live while it is probed.
    let withdrawn = || async {
        let codes = (process.status_code("/first").await, process.status_code("/later").await);
        if codes == (200, 404) { Ok(()) } else { Err(codes) }
    };
    eventually("the change is withdrawn", withdrawn).await;
    process.wait_for_reason(&["injected probe failure"]).await;
    process.heal_disk();
    let view = cloud.wait_until_settled(&change).await;
    assert_eq!(view.status, Status::Failed);
    assert!(view.error_message.unwrap_or_default().starts_with("probe: "));
    assert!(!process.dir.path().join("pipelines/later.toml").exists());
    process.home.remove("probe-fault");
    check_recovered(&cloud, &process).await;
}

/// Kills a gateway at `point` within a change of two files, of which `written` are on disk then, and restarts it on a
/// full disk.
async fn killed_then_full_disk(point: &str, written: [bool; 2]) {
    let (cloud, mut process) = serving().await;
    let shape = cloud.transform("edge", "shape", "[]");
    let shaped = echo("later", "/later")
        + &format!("[middleware.shape]\ntype = \"transform\"\noptions.spec_path = \"{shape}.json\"\n");
    process.kill().await;
    process.restart_with_failpoints(point).await;
    let change = cloud.put_document("edge", "pipeline", &shaped);
    process.gateway.wait_for_exit().await;
    let both = ["pipelines/later.toml".to_owned(), format!("transforms/{shape}.json")];
    assert_eq!(both.map(|name| process.dir.path().join(name).exists()), written, "{point}");
    process.fail_disk("28");
    process.restart().await;
    assert_eq!(process.status_code("/first").await, 200, "{point}");
    // The journal cannot be written, or the incomplete change cannot be rolled back.
    process.wait_for_reason(&["cannot be"]).await;
    assert_eq!(cloud.view(&change).status, Status::Acknowledged, "{point}");
    process.heal_disk();
    assert_eq!(cloud.wait_until_settled(&change).await.status, Status::Applied, "{point}");
    assert_eq!(process.status_code("/later").await, 200, "{point}");
    assert_eq!(process.dir.read("pipelines/later.toml"), shaped, "{point}");
    assert_eq!(process.dir.read(&format!("transforms/{shape}.json")), "[]", "{point}");
    check_recovered(&cloud, &process).await;
}

/// An incomplete change of a killed process is settled when the disk works again.
#[tokio::test]
async fn recovery_continues_after_a_disk_failure() {
    tokio::join!(
        killed_then_full_disk("staged=return", [false, false]),
        killed_then_full_disk("part-written=return", [true, false]),
        killed_then_full_disk("written=return", [true, true]),
        killed_then_full_disk("committed=return", [true, true]),
        killed_then_full_disk("published=return", [true, true]),
        killed_then_full_disk("probed=return", [true, true]),
    );
}

/// While the configuration directory is missing, the gateway keeps serving and changes wait.
#[tokio::test]
async fn changes_wait_while_the_directory_is_missing() {
    let (cloud, process) = serving().await;
    let (root, aside) = (process.dir.path().to_owned(), process.home.path().join("aside"));
    fs::rename(&root, &aside).unwrap();
    process.wait_for_reason(&["config.toml"]).await;
    let change = cloud.put_document("edge", "pipeline", &echo("later", "/later"));
    process.gateway.wait_for_log("the files of this gateway are invalid without the change").await;
    assert_eq!(cloud.view(&change).status, Status::Acknowledged);
    assert_eq!(process.status_code("/first").await, 200);
    fs::rename(&aside, &root).unwrap();
    assert_eq!(cloud.wait_until_settled(&change).await.status, Status::Applied);
    assert_eq!(process.status_code("/later").await, 200);
    check_recovered(&cloud, &process).await;
}

/// While config.toml is missing, the gateway keeps serving and changes wait.
#[tokio::test]
async fn changes_wait_while_config_toml_is_missing() {
    let (cloud, process) = serving().await;
    let config = process.dir.read("config.toml");
    process.dir.remove("config.toml");
    process.wait_for_reason(&["config.toml", "cannot be read"]).await;
    let change = cloud.put_document("edge", "pipeline", &echo("later", "/later"));
    process.gateway.wait_for_log("the files of this gateway are invalid without the change").await;
    assert_eq!(process.status_code("/first").await, 200);
    process.dir.write("config.toml", &config);
    assert_eq!(cloud.wait_until_settled(&change).await.status, Status::Applied);
    check_recovered(&cloud, &process).await;
}

/// A change that failed because of the disk is retried after a minute, and then reported as applied.
#[tokio::test]
async fn a_disk_failure_is_retried_after_a_minute() {
    let cloud = ControlPlane::start().await;
    let clock = Arc::new(OffsetClock::default());
    let options = InProcessGatewayOptions {
        clock: Some(Arc::clone(&clock) as _),
        ..InProcessGatewayOptions::default()
    };
    let gateway = InProcessGateway::with(&cloud, options).await;
    // The directory is a symlink to a missing directory.
    let disk = gateway.dir.path().join("disk");
    symlink(&disk, gateway.dir.path().join("pipelines")).unwrap();
    let change = cloud.put_document("edge", "pipeline", &echo("first", "/first"));
    let view = cloud.wait_until_settled(&change).await;
    assert_eq!(view.status, Status::Failed);
    let reason = view.error_message.unwrap_or_default();
    assert!(reason.starts_with("build: ") && reason.contains("pipelines/first.toml"), "{reason}");
    fs::create_dir(&disk).unwrap();
    cloud.wait_for_more("GET", "/harmony/changes/", 2).await;
    assert_eq!(cloud.view(&change).status, Status::Failed, "there is no retry before a minute has passed");
    clock.advance(Duration::from_secs(61));
    cloud
        .wait_for("the change is applied", |cloud| {
            (cloud.view(&change).status == Status::Applied).then_some(())
        })
        .await;
    assert_eq!(harmony_tests::get(gateway.url("/first")).await.unwrap().status(), 200);
    assert!(cloud.violations().is_empty(), "{:?}", cloud.violations());
}

/// A gateway waits for a journal that another gateway has locked, and reports that.
#[tokio::test]
async fn a_locked_journal_is_waited_for() {
    let cloud = ControlPlane::start().await;
    let gateway = InProcessGateway::on_demand(&cloud).await;
    let journal = gateway.dir.path().join("state/edge/harmony/journal");
    fs::create_dir_all(&journal).unwrap();
    let other = fs::File::create(journal.join("lock")).unwrap();
    other.lock().unwrap();
    let change = cloud.put_document("edge", "pipeline", &echo("first", "/first"));
    let error = gateway.host.sync().await.unwrap().error.unwrap();
    assert!(error.contains("another gateway works in"), "{error}");
    assert!(gateway.host.status().reason().unwrap().contains("another gateway works in"));
    drop(other);
    assert_eq!(gateway.host.sync().await.unwrap().error, None);
    assert_eq!(cloud.wait_until_settled(&change).await.status, Status::Applied);
}
