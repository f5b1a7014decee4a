//! Files that cannot be read, beside the file of a change: the change is judged without them.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use harmony_host::{AttemptVerdict, ChangeOutcome};
use harmony_tests::InProcessGateway;
use harmony_tests::control_plane::{ControlPlane, Status};
use harmony_tests::site::{echo, mesh};

use super::status;

/// Makes a file that cannot be read.
type Make = fn(&Path);

/// The ways in which a file cannot be read. The name of each has the extension of its directory.
const UNREADABLE: [(&str, Make); 7] = [
    ("pipelines/latin.toml", |path| {
        fs::write(path, b"[pipelines.latin]\ndescription = \"caf\xe9\"\n").unwrap()
    }),
    ("pipelines/utf16.toml", |path| fs::write(path, b"\xff\xfe[\0p\0]\0").unwrap()),
    ("pipelines/large.toml", |path| fs::write(path, vec![b'#'; 5 << 20]).unwrap()),
    ("pipelines/pipe.toml", |path| {
        assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
    }),
    ("mesh/nowhere.toml", |path| symlink("gone.toml", path).unwrap()),
    ("mesh/circle.toml", |path| symlink("circle.toml", path).unwrap()),
    ("transforms/cut.json", |path| fs::write(path, "[{\"operation\":").unwrap()),
];

fn check_live(gateway: &InProcessGateway, file: &str) {
    let status = gateway.host.status();
    let (attempted, effective) = (status.attempted.clone().unwrap(), status.effective.clone().unwrap());
    assert_eq!(attempted.verdict, AttemptVerdict::Applied, "{file}: {attempted:?}");
    assert_eq!((&status.desired.digest, &attempted.digest), (&effective.digest, &effective.digest), "{file}");
}

/// Checks that the status says of a file that it is not live, though what is served has changed.
fn check_reported(gateway: &InProcessGateway, file: &str) {
    let status = gateway.host.status();
    let (attempted, effective) = (status.attempted.clone().unwrap(), status.effective.clone().unwrap());
    assert!(!status.in_sync() && attempted.verdict == AttemptVerdict::Rejected, "{file}: {status:?}");
    assert_ne!(attempted.digest, effective.digest, "{file}: what was tried is not what is served");
    assert_eq!(status.desired.digest, attempted.digest, "{file}");
    assert!(format!("{:?}", attempted.problems).contains(file), "{file}: {:?}", attempted.problems);
}

async fn beside_a_new(file: &str, make: Make) {
    let cloud = ControlPlane::start().await;
    let gateway = InProcessGateway::on_demand(&cloud).await;
    let path = gateway.dir.path().join(file);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    make(&path);
    for n in 0..2 {
        let change = cloud.put_document("edge", "pipeline", &echo("fhir", &format!("/fhir-{n}")));
        gateway.host.sync().await.unwrap();
        let view = cloud.wait_until_settled(&change).await;
        assert_eq!(view.status, Status::Applied, "{file}: {:?}", view.error_message);
        assert_eq!(status(gateway.url(&format!("/fhir-{n}"))).await, 200, "{file}");
        check_reported(&gateway, file);
    }
    let invalid = echo("bad", "/bad").replace("endpoints = [\"bad\"]", "endpoints = [\"nowhere\"]");
    let change = cloud.put_document("edge", "pipeline", &invalid);
    gateway.host.sync().await.unwrap();
    let view = cloud.wait_until_settled(&change).await;
    let reason = format!("{:?} {:?}", view.error_message, view.error_details);
    assert_eq!(view.status, Status::Failed, "{file}");
    assert!(reason.contains("nowhere.toml") || !reason.contains(file), "{file}: {reason}");
    fs::remove_file(&path).unwrap();
    gateway.host.reload().await.unwrap();
    check_live(&gateway, file);
    assert_eq!(status(gateway.url("/fhir-1")).await, 200, "{file}");
    assert!(cloud.violations().is_empty(), "{file}: {:?}", cloud.violations());
}

#[tokio::test]
async fn a_change_beside_an_unreadable_file() {
    futures_util::future::join_all(UNREADABLE.map(|(file, make)| beside_a_new(file, make))).await;
}

/// A file that was served and cannot be read any more stays as it was, also after a restart.
#[tokio::test]
async fn a_served_file_that_becomes_unreadable_stays() {
    for (file, make) in UNREADABLE.into_iter().filter(|(file, _)| file.starts_with("pipelines/")) {
        let cloud = ControlPlane::start().await;
        let gateway = InProcessGateway::on_demand(&cloud).await;
        gateway.dir.write(file, &echo("mine", "/mine"));
        gateway.host.reload().await.unwrap();
        let path = gateway.dir.path().join(file);
        fs::remove_file(&path).unwrap();
        make(&path);
        let change = cloud.put_document("edge", "pipeline", &echo("fhir", "/fhir"));
        gateway.host.sync().await.unwrap();
        assert_eq!(cloud.wait_until_settled(&change).await.status, Status::Applied, "{file}");
        for path in ["/mine", "/fhir"] {
            assert_eq!(status(gateway.url(path)).await, 200, "{file}");
        }
        check_reported(&gateway, file);
        let gateway = gateway.restarted().await;
        for path in ["/mine", "/fhir"] {
            assert_eq!(status(gateway.url(path)).await, 200, "{file} after a restart");
        }
        check_reported(&gateway, file);
        fs::remove_file(&path).unwrap();
        gateway.dir.write(file, &echo("mine", "/mine"));
        gateway.host.reload().await.unwrap();
        check_live(&gateway, file);
    }
}

/// A change of the file itself waits: what is there is not known.
#[tokio::test]
async fn a_change_of_an_unreadable_file_waits() {
    let cloud = ControlPlane::start().await;
    let gateway = InProcessGateway::on_demand(&cloud).await;
    gateway.dir.write("pipelines/other.toml", &echo("other", "/other"));
    let path = gateway.dir.path().join("pipelines/latin.toml");
    UNREADABLE[0].1(&path);
    let change = cloud.put_document("edge", "pipeline", &echo("latin", "/latin"));
    gateway.host.sync().await.unwrap();
    let last = gateway.host.status().sync.clone().and_then(|sync| sync.last_change).unwrap();
    assert_eq!(last.verdict, ChangeOutcome::Held, "{last:?}");
    assert!(format!("{last:?}").contains("cannot be read"), "{last:?}");
    fs::remove_file(&path).unwrap();
    gateway.host.sync().await.unwrap();
    assert_eq!(cloud.wait_until_settled(&change).await.status, Status::Applied);
    assert_eq!(status(gateway.url("/latin")).await, 200);
}

/// While config.toml cannot be read, or a directory of the served files is gone, every change waits: a volume may not be
/// mounted.
#[tokio::test]
async fn changes_wait_for_config_toml_and_directories() {
    for missing in ["config.toml", "pipelines"] {
        let cloud = ControlPlane::start().await;
        let gateway = InProcessGateway::on_demand(&cloud).await;
        gateway.dir.write("pipelines/mine.toml", &echo("mine", "/mine"));
        gateway.host.reload().await.unwrap();
        let (path, away) = (gateway.dir.path().join(missing), gateway.dir.path().join("away"));
        fs::rename(&path, &away).unwrap();
        if missing == "config.toml" {
            fs::write(&path, b"caf\xe9").unwrap();
        }
        let change = cloud.put_document("edge", "mesh", &mesh("m", "i").replace("[\"i\"]", "[]"));
        gateway.host.sync().await.unwrap();
        let last = gateway.host.status().sync.clone().and_then(|sync| sync.last_change).unwrap();
        assert_eq!(last.verdict, ChangeOutcome::Held, "{missing}: {last:?}");
        assert!(!gateway.dir.path().join("mesh").exists(), "{missing}");
        let _ = fs::remove_file(&path);
        fs::rename(&away, &path).unwrap();
        gateway.host.sync().await.unwrap();
        assert_eq!(cloud.wait_until_settled(&change).await.status, Status::Applied, "{missing}");
    }
}
