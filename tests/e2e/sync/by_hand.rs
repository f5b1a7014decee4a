//! Files that are edited by hand while changes arrive: nothing is lost without a word, nothing is applied twice.

use std::fs;
use std::os::unix::fs::symlink;

use harmony_host::Verdict;
use harmony_tests::control_plane::{ControlPlane, Status};
use harmony_tests::site::echo;
use harmony_tests::{InProcessGateway, eventually};

use super::status;

/// How a file is edited.
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

/// Edits go on while changes of another file arrive; then everything is there, once, and comes to rest.
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
    // It rests: looking again finds what is served, and each change was told once.
    assert!(matches!(gateway.host.reload().await, Some(Verdict::Unchanged { .. })), "{way:?}");
    let told = cloud.requests().iter().filter(|request| request.route.ends_with("/applied")).count();
    assert_eq!(told, TIMES, "{way:?}");
    assert!(cloud.violations().is_empty(), "{way:?}: {:?}", cloud.violations());
}

#[tokio::test]
async fn edits_and_changes_of_different_files_are_all_there_whatever_way_the_files_are_edited() {
    tokio::join!(
        side_by_side(Way::InPlace),
        side_by_side(Way::InTwoWrites),
        side_by_side(Way::RenamedOnto),
        side_by_side(Way::RemovedAndMadeAnew),
        side_by_side(Way::MountSwapped),
    );
}

#[tokio::test]
async fn of_an_edit_and_a_change_of_one_file_the_last_one_wins() {
    let cloud = ControlPlane::start().await;
    let gateway = InProcessGateway::on_demand(&cloud).await;
    let first = cloud.put_document("edge", "pipeline", &echo("both", "/first"));
    gateway.host.sync().await.unwrap();
    assert_eq!(cloud.wait_until_settled(&first).await.status, Status::Applied);
    gateway.dir.replace("pipelines/both.toml", &echo("both", "/by-hand"));
    answers(&gateway, "/by-hand", 200).await;
    gateway.host.sync().await.unwrap();
    assert_eq!(status(gateway.url("/by-hand")).await, 200, "a change that was applied is not applied again");
    let second = cloud.put_document("edge", "pipeline", &echo("both", "/second"));
    gateway.host.sync().await.unwrap();
    assert_eq!(cloud.wait_until_settled(&second).await.status, Status::Applied);
    assert_eq!((status(gateway.url("/second")).await, status(gateway.url("/by-hand")).await), (200, 404));
    assert!(cloud.violations().is_empty(), "{:?}", cloud.violations());
}

#[tokio::test]
async fn a_change_of_a_mounted_file_goes_where_the_link_leads_and_the_next_mount_takes_its_place() {
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
