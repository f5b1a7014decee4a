//! Edits by hand, of the base and of the overlay.

use harmony_tests::Mount;

use super::*;

fn copy_of(displaced: &Value) -> String {
    fs::read_to_string(displaced["copy"].as_str().unwrap_or_else(|| panic!("{displaced}"))).unwrap()
}

/// An edit of the base is newer than the change in the overlay, and wins; the overlaid file is saved. A later change
/// wins again.
#[tokio::test]
async fn configuration_mounted_read_only_edit_of_the_base_wins() {
    let (cloud, mut process) = read_only(&[("pipelines/mine.toml", echo("mine", "/mine"))]).await;
    let change = applied(&cloud, "pipeline", &echo("mine", "/moved")).await;
    process.dir.replace("pipelines/mine.toml", &echo("mine", "/edited"));
    wait_for_code(&process, "/edited", 200).await;
    assert_eq!(process.status_code("/moved").await, 404);
    let overlay = wait_for_overlay(&process, "the file left the overlay", |overlay| {
        overlay["files"] == serde_json::json!([]) && overlay["displaced"][0]["file"] == "pipelines/mine.toml"
    })
    .await;
    assert_eq!(overlay["displaced"][0]["change"], change);
    assert_eq!(copy_of(&overlay["displaced"][0]), echo("mine", "/moved"));
    assert!(files_below(&directory(&process).await).is_empty());
    process.gateway.wait_for_log("the base of a file in the overlay was edited").await;
    let shown = run(&process, &["status"]).await;
    assert!(shown.contains("displaced") && shown.contains("in sync"), "{shown}");

    applied(&cloud, "pipeline", &echo("mine", "/third")).await;
    assert_eq!((process.status_code("/third").await, process.status_code("/edited").await), (200, 404));
    let overlay = process.provider_status().await["overlay"].clone();
    assert_eq!(overlay["displaced"], serde_json::json!([]), "{overlay:#}");

    // The same while the gateway does not run.
    process.kill().await;
    process.dir.replace("pipelines/mine.toml", &echo("mine", "/meanwhile"));
    process.restart().await;
    assert_eq!((process.status_code("/meanwhile").await, process.status_code("/third").await), (200, 404));
    let overlay = wait_for_overlay(&process, "it left", |overlay| overlay["files"] == serde_json::json!([]));
    assert_eq!(copy_of(&overlay.await["displaced"][0]), echo("mine", "/third"));

    // A base that is removed is an edit too; one that appears wins over a file that a change created.
    applied(&cloud, "pipeline", &echo("mine", "/fourth")).await;
    process.dir.remove("pipelines/mine.toml");
    wait_for_code(&process, "/fourth", 404).await;
    applied(&cloud, "pipeline", &echo("new", "/new")).await;
    process.dir.replace("pipelines/new.toml", &echo("new", "/theirs"));
    wait_for_code(&process, "/theirs", 200).await;
    assert_eq!(process.status_code("/new").await, 404);
}

/// An edit of the base that is rejected displaces nothing for good.
#[tokio::test]
async fn configuration_mounted_read_only_invalid_edit_of_the_base() {
    let mine = echo("mine", "/mine");
    let (cloud, mut process) = read_only(&[("pipelines/mine.toml", mine.clone())]).await;
    applied(&cloud, "pipeline", &echo("mine", "/moved")).await;
    let path = directory(&process).await.join("pipelines/mine.toml");
    process.dir.replace("pipelines/mine.toml", "[pipelines.mine\n");
    process.wait_for_reason(&["pipelines/mine.toml"]).await;
    wait_for_overlay(&process, "the file is marked", |overlay| {
        file(overlay, "pipelines/mine.toml")["displaced"] == true
    })
    .await;
    // The last good configuration has the text of the overlay.
    process.kill().await;
    process.restart().await;
    assert_eq!(process.status_code("/moved").await, 200);
    process.wait_for_reason(&["pipelines/mine.toml"]).await;
    assert_eq!(fs::read_to_string(&path).unwrap(), echo("mine", "/moved"));
    process.dir.replace("pipelines/mine.toml", &mine);
    process.wait_for_sync().await;
    assert_eq!(process.status_code("/moved").await, 200);
    wait_for_overlay(&process, "the file holds", |overlay| {
        file(overlay, "pipelines/mine.toml")["displaced"] == false
    })
    .await;
    // A vanished directory may be a volume that is not mounted.
    fs::rename(process.dir.path().join("pipelines"), process.dir.path().join("aside")).unwrap();
    process.wait_for_reason(&["there is no such directory"]).await;
    assert_eq!((process.status_code("/moved").await, path.exists()), (200, true));
    fs::rename(process.dir.path().join("aside"), process.dir.path().join("pipelines")).unwrap();
    process.wait_for_sync().await;
    assert_eq!((process.status_code("/moved").await, path.exists()), (200, true));
}

/// A file that is removed from the overlay is an edit: the base holds again. So is a file that is edited or added there.
#[tokio::test]
async fn configuration_mounted_read_only_edit_of_the_overlay() {
    let (cloud, process) = read_only(&[("pipelines/mine.toml", echo("mine", "/mine"))]).await;
    applied(&cloud, "pipeline", &echo("mine", "/moved")).await;
    applied(&cloud, "pipeline", &echo("new", "/new")).await;
    let overlay = directory(&process).await;
    fs::write(overlay.join("pipelines/mine.toml"), echo("mine", "/by-hand")).unwrap();
    wait_for_code(&process, "/by-hand", 200).await;
    let by_hand = wait_for_overlay(&process, "an edit by hand", |overlay| {
        file(overlay, "pipelines/mine.toml")["change"].is_null()
    })
    .await;
    assert!(file(&by_hand, "pipelines/mine.toml")["at"].is_string(), "{by_hand:#}");
    for name in ["mine", "new"] {
        fs::remove_file(overlay.join(format!("pipelines/{name}.toml"))).unwrap();
    }
    wait_for_code(&process, "/mine", 200).await;
    wait_for_code(&process, "/new", 404).await;
    wait_for_overlay(&process, "an empty overlay", |overlay| overlay["files"] == serde_json::json!([])).await;
    process.gateway.wait_for_log("the file was removed from the overlay").await;
    process.wait_for_sync().await;

    fs::write(overlay.join("pipelines/added.toml"), echo("added", "/added")).unwrap();
    wait_for_code(&process, "/added", 200).await;
    wait_for_overlay(&process, "the added file", |overlay| !file(overlay, "pipelines/added.toml").is_null())
        .await;
    // The base of a file that was added by hand counts from then on.
    process.dir.replace("pipelines/added.toml", &echo("added", "/base"));
    wait_for_code(&process, "/base", 200).await;
    // A change replaces an edit of the overlay, and a copy of the edit is saved.
    fs::write(overlay.join("pipelines/mine.toml"), echo("mine", "/kept")).unwrap();
    wait_for_code(&process, "/kept", 200).await;
    applied(&cloud, "pipeline", &echo("mine", "/changed")).await;
    process.gateway.wait_for_log("the change replaces an edit of this file").await;
}

/// Once the directory can be written, the overlay still holds; what it does not have goes to the files.
#[tokio::test]
async fn configuration_mounted_read_only_and_then_writable() {
    let (cloud, mut process) = read_only(&[("pipelines/mine.toml", echo("mine", "/mine"))]).await;
    applied(&cloud, "pipeline", &echo("mine", "/moved")).await;
    process.kill().await;
    process.remount(Mount::Writable);
    process.restart().await;
    assert_eq!(process.status_code("/moved").await, 200);
    let overlay = process.provider_status().await["overlay"].clone();
    assert_eq!(overlay["read_only"], serde_json::json!([]), "{overlay:#}");
    assert!(!file(&overlay, "pipelines/mine.toml").is_null(), "{overlay:#}");
    applied(&cloud, "pipeline", &echo("mine", "/again")).await;
    applied(&cloud, "pipeline", &echo("new", "/new")).await;
    let path = directory(&process).await.join("pipelines/mine.toml");
    assert_eq!(fs::read_to_string(&path).unwrap(), echo("mine", "/again"));
    assert_eq!(process.dir.read("pipelines/mine.toml"), echo("mine", "/mine"));
    assert_eq!(process.dir.read("pipelines/new.toml"), echo("new", "/new"));
    // To end the overlay, its files are copied over the base.
    fs::copy(&path, process.dir.path().join("pipelines/mine.toml")).unwrap();
    wait_for_overlay(&process, "no overlay", |overlay| {
        overlay.is_null() || overlay["files"] == serde_json::json!([])
    })
    .await;
    assert_eq!(process.status_code("/again").await, 200);
    process.wait_for_sync().await;
    applied(&cloud, "pipeline", &echo("mine", "/last")).await;
    assert_eq!(process.dir.read("pipelines/mine.toml"), echo("mine", "/last"));
}
