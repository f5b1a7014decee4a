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
use harmony_tests::{Ahead, Edge, EdgeOptions, Outpost, eventually};

/// A control plane and a gateway that has taken one change from it.
async fn serving() -> (ControlPlane, Outpost) {
    let cloud = ControlPlane::start().await;
    let outpost = Outpost::following(&cloud).await;
    let first = cloud.put_document("edge", "pipeline", &echo("first", "/first"));
    assert_eq!(cloud.settled(&first).await.status, Status::Applied);
    (cloud, outpost)
}

/// A good change applies as ever, what was served is served, and nobody broke the protocol.
async fn well_again(cloud: &ControlPlane, outpost: &Outpost) {
    let next = cloud.put_document("edge", "pipeline", &echo("next", "/next"));
    assert_eq!(cloud.settled(&next).await.status, Status::Applied);
    assert_eq!((outpost.status_of("/next").await, outpost.status_of("/first").await), (200, 200));
    // What was rejected is not forgotten: the status says so until something newer is in its place.
    eventually("rest", || async {
        let says = outpost.says().await;
        let (sync, served) = (&says["sync"], says["effective"]["digest"] == says["desired"]["digest"]);
        let rests = sync["unsettled"] == 0 && sync["undelivered"] == 0 && sync["failure"].is_null();
        if served && rests { Ok(()) } else { Err(says) }
    })
    .await;
    assert!(cloud.violations().is_empty(), "{:?}", cloud.violations());
}

/// The configuration cannot be written, the journal can.
async fn refused(errno: u8, said: &str) {
    let (cloud, outpost) = serving().await;
    outpost.disk_refuses(&format!("{errno} pipelines/"));
    let change = cloud.put_document("edge", "pipeline", &echo("later", "/later"));
    let view = cloud.settled(&change).await;
    assert_eq!(view.status, Status::Failed);
    let reason = view.error_message.unwrap_or_default();
    assert!(reason.starts_with("build: ") && reason.contains("pipelines/later.toml"), "{reason}");
    assert!(reason.contains(said), "{reason}");
    outpost.until_it_says(&["rejected (build)", "pipelines/later.toml", said]).await;
    outpost.gateway.until_logged(said).await;
    assert_eq!((outpost.status_of("/first").await, outpost.status_of("/later").await), (200, 404));
    assert!(!outpost.dir.path().join("pipelines/later.toml").exists());
    outpost.disk_is_well();
    well_again(&cloud, &outpost).await;
    assert_eq!(outpost.status_of("/later").await, 404, "it is rejected, and it is not there");
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
    let (cloud, outpost) = serving().await;
    outpost.disk_refuses("28");
    let change = cloud.put_document("edge", "pipeline", &echo("later", "/later"));
    outpost.until_it_says(&["the journal cannot be written", "No space left on device"]).await;
    outpost.gateway.until_logged("the journal cannot be written").await;
    assert_eq!(cloud.view(&change).status, Status::Pending, "what is not noted is not acknowledged");
    assert_eq!((outpost.status_of("/first").await, outpost.status_of("/later").await), (200, 404));
    outpost.disk_is_well();
    assert_eq!(cloud.settled(&change).await.status, Status::Applied);
    assert_eq!(outpost.status_of("/later").await, 200);
    well_again(&cloud, &outpost).await;
}

#[tokio::test]
async fn a_start_on_a_full_disk_serves_and_says_so_and_keeps_what_it_serves_once_it_can() {
    let (cloud, mut outpost) = serving().await;
    outpost.kill().await;
    outpost.dir.write("pipelines/mine.toml", &echo("mine", "/mine"));
    outpost.disk_refuses("28");
    outpost.start_again().await;
    assert_eq!((outpost.status_of("/first").await, outpost.status_of("/mine").await), (200, 200));
    eventually("that it cannot be kept", || async {
        let kept = outpost.says().await["last_good"].clone();
        if kept["failure"].to_string().contains("No space left") { Ok(()) } else { Err(kept) }
    })
    .await;
    outpost.disk_is_well();
    eventually("that it is kept", || async {
        let kept = outpost.says().await["last_good"].clone();
        if kept["failure"].is_null() && kept["at"].is_string() { Ok(()) } else { Err(kept) }
    })
    .await;
    assert!(outpost.keeps("/mine"));
    well_again(&cloud, &outpost).await;
}

#[tokio::test]
async fn a_change_whose_files_cannot_be_taken_back_gets_no_verdict_until_they_are() {
    let (cloud, outpost) = serving().await;
    let probe = outpost.home.path().join("probe-fault");
    // The probe reads its fault from a pipe, and so waits for this test in the middle of the change.
    assert!(Command::new("mkfifo").arg(&probe).status().unwrap().success());
    let change = cloud.put_document("edge", "pipeline", &echo("later", "/later"));
    let opened = {
        let probe = probe.clone();
        tokio::task::spawn_blocking(move || fs::OpenOptions::new().write(true).open(probe).unwrap())
    };
    let mut pipe = opened.await.unwrap();
    assert!(outpost.dir.path().join("pipelines/later.toml").exists(), "it is written and live");
    outpost.disk_refuses("28 pipelines/");
    outpost.home.replace("probe-fault", "it was asked to fail");
    pipe.write_all(b"it was asked to fail").unwrap();
    drop(pipe);
    outpost.gateway.until_logged("what an earlier try wrote cannot be taken back").await;
    assert_eq!(cloud.view(&change).status, Status::Acknowledged);
    assert_eq!((outpost.status_of("/first").await, outpost.status_of("/later").await), (200, 404));
    outpost.until_it_says(&["it was asked to fail"]).await;
    outpost.disk_is_well();
    let view = cloud.settled(&change).await;
    assert_eq!(view.status, Status::Failed);
    assert!(view.error_message.unwrap_or_default().starts_with("probe: "));
    assert!(!outpost.dir.path().join("pipelines/later.toml").exists());
    outpost.home.remove("probe-fault");
    well_again(&cloud, &outpost).await;
}

/// Killed at `point` within a change of two files, of which these are written then, the gateway starts on a disk that
/// takes nothing.
async fn killed_and_then_refused(point: &str, written: [bool; 2]) {
    let (cloud, mut outpost) = serving().await;
    let shape = cloud.transform("edge", "shape", "[]");
    let shaped = echo("later", "/later")
        + &format!("[middleware.shape]\ntype = \"transform\"\noptions.spec_path = \"{shape}.json\"\n");
    outpost.kill().await;
    outpost.start_armed(point).await;
    let change = cloud.put_document("edge", "pipeline", &shaped);
    outpost.gateway.ended().await;
    let both = ["pipelines/later.toml".to_owned(), format!("transforms/{shape}.json")];
    assert_eq!(both.map(|name| outpost.dir.path().join(name).exists()), written, "{point}");
    outpost.disk_refuses("28");
    outpost.start_again().await;
    assert_eq!(outpost.status_of("/first").await, 200, "{point}");
    // The journal cannot be written, or the half that is there cannot be taken back.
    outpost.until_it_says(&["cannot be"]).await;
    assert_eq!(cloud.view(&change).status, Status::Acknowledged, "{point}");
    outpost.disk_is_well();
    assert_eq!(cloud.settled(&change).await.status, Status::Applied, "{point}");
    assert_eq!(outpost.status_of("/later").await, 200, "{point}");
    assert_eq!(outpost.dir.read("pipelines/later.toml"), shaped, "{point}");
    assert_eq!(outpost.dir.read(&format!("transforms/{shape}.json")), "[]", "{point}");
    well_again(&cloud, &outpost).await;
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
    let (cloud, outpost) = serving().await;
    let (root, aside) = (outpost.dir.path().to_owned(), outpost.home.path().join("aside"));
    fs::rename(&root, &aside).unwrap();
    outpost.until_it_says(&["config.toml"]).await;
    let change = cloud.put_document("edge", "pipeline", &echo("later", "/later"));
    outpost.gateway.until_logged("the files of this gateway are wrong without it").await;
    assert_eq!(cloud.view(&change).status, Status::Acknowledged);
    assert_eq!(outpost.status_of("/first").await, 200);
    fs::rename(&aside, &root).unwrap();
    assert_eq!(cloud.settled(&change).await.status, Status::Applied);
    assert_eq!(outpost.status_of("/later").await, 200);
    well_again(&cloud, &outpost).await;
}

#[tokio::test]
async fn a_config_toml_that_is_removed_is_served_on_and_changes_wait_until_it_is_back() {
    let (cloud, outpost) = serving().await;
    let config = outpost.dir.read("config.toml");
    outpost.dir.remove("config.toml");
    outpost.until_it_says(&["config.toml", "cannot be read"]).await;
    let change = cloud.put_document("edge", "pipeline", &echo("later", "/later"));
    outpost.gateway.until_logged("the files of this gateway are wrong without it").await;
    assert_eq!(outpost.status_of("/first").await, 200);
    outpost.dir.write("config.toml", &config);
    assert_eq!(cloud.settled(&change).await.status, Status::Applied);
    well_again(&cloud, &outpost).await;
}

#[tokio::test]
async fn what_only_the_disk_stood_in_the_way_of_is_tried_again_after_a_minute_and_then_called_applied() {
    let cloud = ControlPlane::start().await;
    let clock = Arc::new(Ahead::default());
    let options = EdgeOptions { clock: Some(Arc::clone(&clock) as _), ..EdgeOptions::default() };
    let edge = Edge::with(&cloud, options).await;
    // The directory is a link to a disk that is not there.
    let disk = edge.dir.path().join("disk");
    symlink(&disk, edge.dir.path().join("pipelines")).unwrap();
    let change = cloud.put_document("edge", "pipeline", &echo("first", "/first"));
    let view = cloud.settled(&change).await;
    assert_eq!(view.status, Status::Failed);
    let reason = view.error_message.unwrap_or_default();
    assert!(reason.starts_with("build: ") && reason.contains("pipelines/first.toml"), "{reason}");
    fs::create_dir(&disk).unwrap();
    cloud.wait_for_more("GET", "/harmony/changes/", 2).await;
    assert_eq!(cloud.view(&change).status, Status::Failed, "not sooner");
    clock.forward(Duration::from_secs(61));
    cloud
        .wait_for("another verdict", |cloud| (cloud.view(&change).status == Status::Applied).then_some(()))
        .await;
    assert_eq!(harmony_tests::get(edge.url("/first")).await.unwrap().status(), 200);
    assert!(cloud.violations().is_empty(), "{:?}", cloud.violations());
}

#[tokio::test]
async fn a_journal_that_another_gateway_works_with_is_waited_for_and_that_is_said() {
    let cloud = ControlPlane::start().await;
    let edge = Edge::on_demand(&cloud).await;
    let journal = edge.dir.path().join("state/edge/harmony/journal");
    fs::create_dir_all(&journal).unwrap();
    let other = fs::File::create(journal.join("lock")).unwrap();
    other.lock().unwrap();
    let change = cloud.put_document("edge", "pipeline", &echo("first", "/first"));
    let said = edge.host.sync().await.unwrap().error.unwrap();
    assert!(said.contains("another gateway works in"), "{said}");
    assert!(edge.host.status().reason().unwrap().contains("another gateway works in"));
    drop(other);
    assert_eq!(edge.host.sync().await.unwrap().error, None);
    assert_eq!(cloud.settled(&change).await.status, Status::Applied);
}
