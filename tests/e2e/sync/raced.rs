//! Edits by hand at the moment at which a change is written: each is in its file, or in a copy.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use harmony_tests::control_plane::{ControlPlane, Status};
use harmony_tests::disk::{files_below, leftover_files};
use harmony_tests::site::echo;
use harmony_tests::{GatewayProcess, InProcessGateway};
use tokio::time::Instant;

const FILE: &str = "pipelines/both.toml";

/// A way of editing the file at a path, with the new file at another path.
type Way = fn(&Path, &Path);

const WAYS: [(&str, Way); 4] = [
    ("renamed", |path, new| fs::rename(new, path).unwrap()),
    ("written in place", |path, new| {
        fs::write(path, fs::read(new).unwrap()).unwrap();
        fs::remove_file(new).unwrap();
    }),
    ("removed and linked", |path, new| {
        let _ = fs::remove_file(path);
        let _ = fs::hard_link(new, path);
        fs::remove_file(new).unwrap();
    }),
    ("kept as a backup", |path, new| {
        let _ = fs::rename(path, path.with_extension("toml~"));
        fs::rename(new, path).unwrap();
    }),
];

/// Edits the file in the moment in which a change has written its text beside it, or has just replaced the file. Called before
/// there is a change: it compares with the file as it is then.
fn edit_while_written(root: &Path, way: Way, text: String) -> impl Future<Output = ()> + use<> {
    let root = root.to_owned();
    let before = fs::read(root.join(FILE)).unwrap();
    let edit = move || {
        let (path, new) = (root.join(FILE), root.join("new.txt"));
        fs::write(&new, text).unwrap();
        let until = Instant::now() + Duration::from_secs(60);
        let is_written = || {
            let entries = fs::read_dir(root.join("pipelines")).into_iter().flatten().flatten();
            let mut names = entries.filter_map(|entry| entry.file_name().into_string().ok());
            names.any(|name| name.starts_with(".harmony-")) || fs::read(&path).ok().as_ref() != Some(&before)
        };
        while !is_written() {
            assert!(Instant::now() < until, "no change was written");
            std::thread::yield_now();
        }
        way(&path, &new);
    };
    async { tokio::task::spawn_blocking(edit).await.unwrap() }
}

/// Returns the texts of the file and of the copies of what it was.
fn found(root: &Path, state: &Path) -> Vec<String> {
    let is_copy = |path: &PathBuf| path.parent().is_some_and(|parent| parent.ends_with("replaced"));
    let copies = files_below(state).into_iter().filter(is_copy);
    copies.chain([root.join(FILE)]).filter_map(|path| fs::read_to_string(path).ok()).collect()
}

async fn no_edit_is_lost(name: &str, way: Way) {
    let cloud = ControlPlane::start().await;
    let gateway = InProcessGateway::on_demand(&cloud).await;
    let root = gateway.dir.path();
    gateway.dir.write(FILE, &echo("both", "/start"));
    gateway.host.reload().await.unwrap();
    for n in 0..25 {
        let edit = echo("both", &format!("/by-hand-{n}"));
        let editing = edit_while_written(root, way, edit.clone());
        let change = cloud.put_document("edge", "pipeline", &echo("both", &format!("/change-{n}")));
        let (synced, ()) = tokio::join!(gateway.host.sync(), editing);
        synced.unwrap();
        let view = cloud.wait_until_settled(&change).await;
        assert_eq!(view.status, Status::Applied, "{name} {n}: {:?}", view.error_message);
        let found = found(root, &root.join("state"));
        assert!(found.contains(&edit), "{name} {n}: the edit is gone: {found:?}");
    }
    gateway.host.reload().await.unwrap();
    assert_eq!(leftover_files(&root.join("pipelines")), [""; 0], "{name}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_edit_while_a_change_is_written() {
    futures_util::future::join_all(WAYS.map(|(name, way)| no_edit_is_lost(name, way))).await;
}

/// A file system such as NFS cannot exchange two files.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_edit_while_a_change_is_written_without_exchanges() {
    let one = |(name, way): (&'static str, Way)| async move {
        let cloud = ControlPlane::start().await;
        let mut process = GatewayProcess::following(&cloud).await;
        process.kill().await;
        process.dir.write(FILE, &echo("both", "/start"));
        let config = process.dir.config().display().to_string();
        process.restart_with_environment(&[("HARMONY_NO_EXCHANGE", &config)]).await;
        for n in 0..5 {
            let edit = echo("both", &format!("/by-hand-{n}"));
            let (root, change) = (process.dir.path(), echo("both", &format!("/change-{n}")));
            let editing = edit_while_written(root, way, edit.clone());
            let change = cloud.put_document("edge", "pipeline", &change);
            editing.await;
            assert_eq!(cloud.wait_until_settled(&change).await.status, Status::Applied, "{name} {n}");
            let found = found(root, process.home.path());
            assert!(found.contains(&edit), "{name} {n}: the edit is gone: {found:?}");
        }
    };
    futures_util::future::join_all(WAYS.map(one)).await;
}

/// A process that is killed once it has exchanged the files has displaced an edit that it has not seen.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_displaced_edit_survives_a_kill() {
    for no_exchange in ["", "yes"] {
        let cloud = ControlPlane::start().await;
        let mut process = GatewayProcess::following(&cloud).await;
        process.kill().await;
        process.dir.write(FILE, &echo("both", "/start"));
        let config = process.dir.config().display().to_string();
        let mut environment = vec![("FAILPOINTS", "exchanging=sleep(2000);exchanged=return")];
        if !no_exchange.is_empty() {
            environment.push(("HARMONY_NO_EXCHANGE", &config));
        }
        process.restart_with_environment(&environment).await;
        let edit = echo("both", "/by-hand");
        let editing = edit_while_written(process.dir.path(), WAYS[0].1, edit.clone());
        let change = cloud.put_document("edge", "pipeline", &echo("both", "/change"));
        editing.await;
        process.gateway.wait_for_exit().await;
        process.restart().await;
        // The change is applied over the edit, or the edit counts as newer.
        let view = cloud.wait_until_settled(&change).await;
        let live = if view.status == Status::Applied { "/change" } else { "/by-hand" };
        assert_eq!(process.status_code(live).await, 200, "{:?}", view.error_message);
        assert!(found(process.dir.path(), process.home.path()).contains(&edit), "the edit is gone");
        assert_eq!(leftover_files(process.dir.path()), [""; 0]);
    }
}
