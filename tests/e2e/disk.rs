//! A disk that is full, read-only or not ours, and files that are taken away: what was served is served on, it is
//! said, and everything goes on by itself once the disk does.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use harmony_tests::control_plane::{ControlPlane, Status};
use harmony_tests::site::echo;
use harmony_tests::{GatewayProcess, InProcessGateway, InProcessGatewayOptions, OffsetClock, eventually};

/// A control plane and a gateway that has taken one change from it.
async fn serving() -> (ControlPlane, GatewayProcess) {
    let cloud = ControlPlane::start().await;
    let process = GatewayProcess::following(&cloud).await;
    let first = cloud.put_document("edge", "pipeline", &echo("first", "/first"));
    assert_eq!(cloud.wait_until_settled(&first).await.status, Status::Applied);
    (cloud, process)
}

/// A good change applies as ever, what was served is served, and nobody broke the protocol.
async fn well_again(cloud: &ControlPlane, process: &GatewayProcess) {
    let next = cloud.put_document("edge", "pipeline", &echo("next", "/next"));
    assert_eq!(cloud.wait_until_settled(&next).await.status, Status::Applied);
    assert_eq!((process.status_code("/next").await, process.status_code("/first").await), (200, 200));
    // What was rejected is not forgotten: the status says so until something newer is in its place.
    eventually("rest", || async {
        let says = process.provider_status().await;
        let (sync, served) = (&says["sync"], says["effective"]["digest"] == says["desired"]["digest"]);
        let rests = sync["unsettled"] == 0 && sync["undelivered"] == 0 && sync["failure"].is_null();
        if served && rests { Ok(()) } else { Err(says) }
    })
    .await;
    assert!(cloud.violations().is_empty(), "{:?}", cloud.violations());
}

/// The configuration cannot be written, the journal can.
async fn refused(errno: u8, said: &str) {
    let (cloud, process) = serving().await;
    process.fail_disk(&format!("{errno} pipelines/"));
    let change = cloud.put_document("edge", "pipeline", &echo("later", "/later"));
    let view = cloud.wait_until_settled(&change).await;
    assert_eq!(view.status, Status::Failed);
    let reason = view.error_message.unwrap_or_default();
    assert!(reason.starts_with("build: ") && reason.contains("pipelines/later.toml"), "{reason}");
    assert!(reason.contains(said), "{reason}");
    process.wait_for_reason(&["rejected (build)", "pipelines/later.toml", said]).await;
    process.gateway.wait_for_log(said).await;
    assert_eq!((process.status_code("/first").await, process.status_code("/later").await), (200, 404));
    assert!(!process.dir.path().join("pipelines/later.toml").exists());
    process.heal_disk();
    well_again(&cloud, &process).await;
    assert_eq!(process.status_code("/later").await, 404, "it is rejected, and it is not there");
    assert_eq!(cloud.view(&change).status, Status::Failed);
}

#[tokio::test]
async fn a_full_disk_rejects_a_change_with_class_and_file_and_the_next_one_applies() {
    refused(28, "No space left on device").await;
}

#[tokio::test]
async fn a_read_only_disk_rejects_a_change_with_class_and_file_and_the_next_one_applies() {
    refused(30, "Read-only file system").await;
}

#[tokio::test]
async fn a_directory_that_is_not_ours_rejects_a_change_with_class_and_file_and_the_next_one_applies() {
    refused(13, "Permission denied").await;
}

#[tokio::test]
async fn where_the_journal_cannot_be_written_a_change_waits_and_the_status_says_why() {
    let (cloud, process) = serving().await;
    process.fail_disk("28");
    let change = cloud.put_document("edge", "pipeline", &echo("later", "/later"));
    process.wait_for_reason(&["the journal cannot be written", "No space left on device"]).await;
    process.gateway.wait_for_log("the journal cannot be written").await;
    assert_eq!(cloud.view(&change).status, Status::Pending, "what is not noted is not acknowledged");
    assert_eq!((process.status_code("/first").await, process.status_code("/later").await), (200, 404));
    process.heal_disk();
    assert_eq!(cloud.wait_until_settled(&change).await.status, Status::Applied);
    assert_eq!(process.status_code("/later").await, 200);
    well_again(&cloud, &process).await;
}

#[tokio::test]
async fn a_start_on_a_full_disk_serves_and_says_so_and_keeps_what_it_serves_once_it_can() {
    let (cloud, mut process) = serving().await;
    process.kill().await;
    process.dir.write("pipelines/mine.toml", &echo("mine", "/mine"));
    process.fail_disk("28");
    process.restart().await;
    assert_eq!((process.status_code("/first").await, process.status_code("/mine").await), (200, 200));
    eventually("that it cannot be kept", || async {
        let kept = process.provider_status().await["last_good"].clone();
        if kept["failure"].to_string().contains("No space left") { Ok(()) } else { Err(kept) }
    })
    .await;
    process.heal_disk();
    eventually("that it is kept", || async {
        let kept = process.provider_status().await["last_good"].clone();
        if kept["failure"].is_null() && kept["at"].is_string() { Ok(()) } else { Err(kept) }
    })
    .await;
    assert!(process.has_saved("/mine"));
    well_again(&cloud, &process).await;
}

#[tokio::test]
async fn a_change_whose_files_cannot_be_taken_back_gets_no_verdict_until_they_are() {
    let (cloud, process) = serving().await;
    let probe = process.home.path().join("probe-fault");
    // The probe reads its fault from a pipe, and so waits for this test in the middle of the change.
    assert!(Command::new("mkfifo").arg(&probe).status().unwrap().success());
    let change = cloud.put_document("edge", "pipeline", &echo("later", "/later"));
    let opened = {
        let probe = probe.clone();
        tokio::task::spawn_blocking(move || fs::OpenOptions::new().write(true).open(probe).unwrap())
    };
    let mut pipe = opened.await.unwrap();
    assert!(process.dir.path().join("pipelines/later.toml").exists(), "it is written and live");
    process.fail_disk("28 pipelines/");
    process.home.replace("probe-fault", "it was asked to fail");
    pipe.write_all(b"it was asked to fail").unwrap();
    drop(pipe);
    process.gateway.wait_for_log("what an earlier try wrote cannot be taken back").await;
    assert_eq!(cloud.view(&change).status, Status::Acknowledged);
    assert_eq!((process.status_code("/first").await, process.status_code("/later").await), (200, 404));
    process.wait_for_reason(&["it was asked to fail"]).await;
    process.heal_disk();
    let view = cloud.wait_until_settled(&change).await;
    assert_eq!(view.status, Status::Failed);
    assert!(view.error_message.unwrap_or_default().starts_with("probe: "));
    assert!(!process.dir.path().join("pipelines/later.toml").exists());
    process.home.remove("probe-fault");
    well_again(&cloud, &process).await;
}

/// Killed at `point` within a change of two files, of which these are written then, the gateway starts on a disk that
/// takes nothing.
async fn killed_and_then_refused(point: &str, written: [bool; 2]) {
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
    // The journal cannot be written, or the half that is there cannot be taken back.
    process.wait_for_reason(&["cannot be"]).await;
    assert_eq!(cloud.view(&change).status, Status::Acknowledged, "{point}");
    process.heal_disk();
    assert_eq!(cloud.wait_until_settled(&change).await.status, Status::Applied, "{point}");
    assert_eq!(process.status_code("/later").await, 200, "{point}");
    assert_eq!(process.dir.read("pipelines/later.toml"), shaped, "{point}");
    assert_eq!(process.dir.read(&format!("transforms/{shape}.json")), "[]", "{point}");
    well_again(&cloud, &process).await;
}

#[tokio::test]
async fn what_a_killed_process_left_is_settled_once_the_disk_takes_it() {
    tokio::join!(
        killed_and_then_refused("staged=return", [false, false]),
        killed_and_then_refused("part-written=return", [true, false]),
        killed_and_then_refused("written=return", [true, true]),
        killed_and_then_refused("committed=return", [true, true]),
        killed_and_then_refused("published=return", [true, true]),
        killed_and_then_refused("probed=return", [true, true]),
    );
}

#[tokio::test]
async fn a_configuration_that_is_taken_away_is_served_on_and_changes_wait_until_it_is_back() {
    let (cloud, process) = serving().await;
    let (root, aside) = (process.dir.path().to_owned(), process.home.path().join("aside"));
    fs::rename(&root, &aside).unwrap();
    process.wait_for_reason(&["config.toml"]).await;
    let change = cloud.put_document("edge", "pipeline", &echo("later", "/later"));
    process.gateway.wait_for_log("the files of this gateway are wrong without it").await;
    assert_eq!(cloud.view(&change).status, Status::Acknowledged);
    assert_eq!(process.status_code("/first").await, 200);
    fs::rename(&aside, &root).unwrap();
    assert_eq!(cloud.wait_until_settled(&change).await.status, Status::Applied);
    assert_eq!(process.status_code("/later").await, 200);
    well_again(&cloud, &process).await;
}

#[tokio::test]
async fn a_config_toml_that_is_removed_is_served_on_and_changes_wait_until_it_is_back() {
    let (cloud, process) = serving().await;
    let config = process.dir.read("config.toml");
    process.dir.remove("config.toml");
    process.wait_for_reason(&["config.toml", "cannot be read"]).await;
    let change = cloud.put_document("edge", "pipeline", &echo("later", "/later"));
    process.gateway.wait_for_log("the files of this gateway are wrong without it").await;
    assert_eq!(process.status_code("/first").await, 200);
    process.dir.write("config.toml", &config);
    assert_eq!(cloud.wait_until_settled(&change).await.status, Status::Applied);
    well_again(&cloud, &process).await;
}

#[tokio::test]
async fn what_only_the_disk_stood_in_the_way_of_is_tried_again_after_a_minute_and_then_called_applied() {
    let cloud = ControlPlane::start().await;
    let clock = Arc::new(OffsetClock::default());
    let options = InProcessGatewayOptions {
        clock: Some(Arc::clone(&clock) as _),
        ..InProcessGatewayOptions::default()
    };
    let gateway = InProcessGateway::with(&cloud, options).await;
    // The directory is a link to a disk that is not there.
    let disk = gateway.dir.path().join("disk");
    symlink(&disk, gateway.dir.path().join("pipelines")).unwrap();
    let change = cloud.put_document("edge", "pipeline", &echo("first", "/first"));
    let view = cloud.wait_until_settled(&change).await;
    assert_eq!(view.status, Status::Failed);
    let reason = view.error_message.unwrap_or_default();
    assert!(reason.starts_with("build: ") && reason.contains("pipelines/first.toml"), "{reason}");
    fs::create_dir(&disk).unwrap();
    cloud.wait_for_more("GET", "/harmony/changes/", 2).await;
    assert_eq!(cloud.view(&change).status, Status::Failed, "not sooner");
    clock.advance(Duration::from_secs(61));
    cloud
        .wait_for("another verdict", |cloud| (cloud.view(&change).status == Status::Applied).then_some(()))
        .await;
    assert_eq!(harmony_tests::get(gateway.url("/first")).await.unwrap().status(), 200);
    assert!(cloud.violations().is_empty(), "{:?}", cloud.violations());
}

#[tokio::test]
async fn a_journal_that_another_gateway_works_with_is_waited_for_and_that_is_said() {
    let cloud = ControlPlane::start().await;
    let gateway = InProcessGateway::on_demand(&cloud).await;
    let journal = gateway.dir.path().join("state/edge/harmony/journal");
    fs::create_dir_all(&journal).unwrap();
    let other = fs::File::create(journal.join("lock")).unwrap();
    other.lock().unwrap();
    let change = cloud.put_document("edge", "pipeline", &echo("first", "/first"));
    let said = gateway.host.sync().await.unwrap().error.unwrap();
    assert!(said.contains("another gateway works in"), "{said}");
    assert!(gateway.host.status().reason().unwrap().contains("another gateway works in"));
    drop(other);
    assert_eq!(gateway.host.sync().await.unwrap().error, None);
    assert_eq!(cloud.wait_until_settled(&change).await.status, Status::Applied);
}
