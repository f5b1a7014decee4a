//! Edits by hand during a sync: no edit and no change is lost silently, and no change is applied twice.

use std::fs;
use std::os::unix::fs::symlink;

use harmony_host::Verdict;
use harmony_tests::control_plane::{ControlPlane, Status};
use harmony_tests::site::echo;
use harmony_tests::{InProcessGateway, eventually};

use super::status;

/// A way of editing a file.
#[derive(Clone, Copy, Debug)]
enum Way {
    InPlace,
    InTwoWrites,
    RenamedOnto,
    RemovedAndMadeAnew,
    MountSwapped,
}

const MINE: &str = "pipelines/mine.toml";

impl Way {
    fn edit(self, gateway: &InProcessGateway, n: usize, text: &str) {
        let at = |name: &str| gateway.dir.path().join("pipelines").join(name);
        match self {
            Self::InPlace => gateway.dir.write(MINE, text),
            Self::InTwoWrites => {
                let (first, second) = text.split_at(text.len() / 2);
                gateway.dir.write(MINE, first);
                gateway.dir.write(MINE, &format!("{first}{second}"));
            }
            Self::RenamedOnto => gateway.dir.replace(MINE, text),
            Self::RemovedAndMadeAnew => {
                let _ = fs::remove_file(at("mine.toml"));
                gateway.dir.write(MINE, text);
            }
            Self::MountSwapped => {
                gateway.dir.write(&format!("pipelines/..v{n}/mine.toml"), text);
                symlink(format!("..v{n}"), at("..data_tmp")).unwrap();
                fs::rename(at("..data_tmp"), at("..data")).unwrap();
                if n == 0 {
                    symlink("..data/mine.toml", at("mine.toml")).unwrap();
                }
            }
        }
    }
}

async fn answers(gateway: &InProcessGateway, path: &str, expected: u16) {
    eventually(&format!("{path} is {expected}"), || async {
        let now = status(gateway.url(path)).await;
        if now == expected { Ok(()) } else { Err(now) }
    })
    .await;
}

/// Edits one file while changes of another file arrive, and checks that all are applied, once, and the gateway is idle.
async fn side_by_side(way: Way) {
    const TIMES: usize = 5;
    let cloud = ControlPlane::start().await;
    let gateway = InProcessGateway::following(&cloud).await;
    let mut changes = Vec::new();
    for n in 0..TIMES {
        changes.push(cloud.put_document("edge", "pipeline", &echo("theirs", &format!("/theirs-{n}"))));
        way.edit(&gateway, n, &echo("mine", &format!("/mine-{n}")));
        gateway.host.sync().await.unwrap();
        assert_eq!(cloud.wait_until_settled(&changes[n]).await.status, Status::Applied, "{way:?}");
        assert_eq!(status(gateway.url(&format!("/theirs-{n}"))).await, 200, "{way:?}");
    }
    answers(&gateway, &format!("/mine-{}", TIMES - 1), 200).await;
    assert_eq!(status(gateway.url(&format!("/theirs-{}", TIMES - 1))).await, 200);
    assert_eq!(gateway.dir.read(MINE), echo("mine", &format!("/mine-{}", TIMES - 1)));
    assert_eq!(gateway.dir.read("pipelines/theirs.toml"), echo("theirs", &format!("/theirs-{}", TIMES - 1)));
    // A reload finds nothing new, and each verdict was reported once.
    assert!(matches!(gateway.host.reload().await, Some(Verdict::Unchanged { .. })), "{way:?}");
    let reports = cloud.requests().iter().filter(|request| request.route.ends_with("/applied")).count();
    assert_eq!(reports, TIMES, "{way:?}");
    assert!(cloud.violations().is_empty(), "{way:?}: {:?}", cloud.violations());
}

/// Edits and changes of different files are all applied, for every way of editing.
#[tokio::test]
async fn edits_and_changes_of_other_files_coexist() {
    tokio::join!(
        side_by_side(Way::InPlace),
        side_by_side(Way::InTwoWrites),
        side_by_side(Way::RenamedOnto),
        side_by_side(Way::RemovedAndMadeAnew),
        side_by_side(Way::MountSwapped),
    );
}

#[tokio::test]
async fn the_last_of_edit_and_change_wins() {
    let cloud = ControlPlane::start().await;
    let gateway = InProcessGateway::on_demand(&cloud).await;
    let first = cloud.put_document("edge", "pipeline", &echo("both", "/first"));
    gateway.host.sync().await.unwrap();
    assert_eq!(cloud.wait_until_settled(&first).await.status, Status::Applied);
    gateway.dir.replace("pipelines/both.toml", &echo("both", "/by-hand"));
    answers(&gateway, "/by-hand", 200).await;
    gateway.host.sync().await.unwrap();
    assert_eq!(status(gateway.url("/by-hand")).await, 200, "an applied change is not applied again");
    let second = cloud.put_document("edge", "pipeline", &echo("both", "/second"));
    gateway.host.sync().await.unwrap();
    assert_eq!(cloud.wait_until_settled(&second).await.status, Status::Applied);
    assert_eq!((status(gateway.url("/second")).await, status(gateway.url("/by-hand")).await), (200, 404));
    assert!(cloud.violations().is_empty(), "{:?}", cloud.violations());
}

/// A change of a mounted file writes to the link's target, and the next mount replaces it.
#[tokio::test]
async fn changes_follow_symlinked_mounts() {
    let cloud = ControlPlane::start().await;
    let gateway = InProcessGateway::on_demand(&cloud).await;
    Way::MountSwapped.edit(&gateway, 0, &echo("mine", "/mounted"));
    answers(&gateway, "/mounted", 200).await;
    let change = cloud.put_document("edge", "pipeline", &echo("mine", "/changed"));
    gateway.host.sync().await.unwrap();
    assert_eq!(cloud.wait_until_settled(&change).await.status, Status::Applied);
    assert_eq!(status(gateway.url("/changed")).await, 200);
    assert!(fs::symlink_metadata(gateway.dir.path().join(MINE)).unwrap().is_symlink());
    Way::MountSwapped.edit(&gateway, 1, &echo("mine", "/remounted"));
    answers(&gateway, "/remounted", 200).await;
    gateway.host.sync().await.unwrap();
    assert_eq!((status(gateway.url("/remounted")).await, status(gateway.url("/changed")).await), (200, 404));
}
