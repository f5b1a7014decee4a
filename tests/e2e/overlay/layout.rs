//! The layouts in which a container gets its configuration.

use std::os::unix::fs::symlink;

use super::*;

/// A ConfigMap: links to a directory that is replaced as a whole. A new version displaces only what it changes.
#[tokio::test]
async fn configuration_mounted_read_only_as_a_config_map() {
    let dir = Workdir::new();
    let version = |n: u32, mine: &str| {
        dir.write(&format!("..{n}/a.toml"), &echo("a", "/a"));
        dir.write(&format!("..{n}/mine.toml"), mine);
    };
    version(1, &echo("mine", "/mine"));
    symlink("..1", dir.path().join("..data")).unwrap();
    fs::create_dir(dir.path().join("pipelines")).unwrap();
    for name in ["a.toml", "mine.toml"] {
        let target = Path::new("../..data").join(name);
        symlink(target, dir.path().join("pipelines").join(name)).unwrap();
    }
    let cloud = ControlPlane::start().await;
    let process = GatewayProcess::mounted(&cloud, free_port(), "", dir, Mount::ReadOnly).await.unwrap();
    applied(&cloud, "pipeline", &echo("a", "/changed-a")).await;
    applied(&cloud, "pipeline", &echo("mine", "/changed-mine")).await;
    let root = process.dir.path();
    assert_eq!(process.dir.read("..data/mine.toml"), echo("mine", "/mine"), "the base stays");
    process.dir.write("..2/a.toml", &echo("a", "/a"));
    process.dir.write("..2/mine.toml", &echo("mine", "/new-version"));
    symlink("..2", root.join("..data_tmp")).unwrap();
    fs::rename(root.join("..data_tmp"), root.join("..data")).unwrap();
    wait_for_code(&process, "/new-version", 200).await;
    assert_eq!(process.status_code("/changed-mine").await, 404);
    assert_eq!((process.status_code("/changed-a").await, process.status_code("/a").await), (200, 404));
    let overlay = wait_for_overlay(&process, "one file left", |overlay| {
        overlay["files"].as_array().is_some_and(|files| files.len() == 1)
    })
    .await;
    assert!(!file(&overlay, "pipelines/a.toml").is_null(), "{overlay:#}");
    assert_eq!(overlay["displaced"][0]["file"], "pipelines/mine.toml");
}

/// A config.toml that is mounted by itself cannot be replaced; the rest of its directory can.
#[tokio::test]
async fn configuration_mounted_as_one_file() {
    let cloud = ControlPlane::start().await;
    let mounted =
        GatewayProcess::mounted(&cloud, free_port(), "", Workdir::new(), Mount::File("config.toml")).await;
    let Some(mut process) = mounted else {
        eprintln!("NOT TESTED: this machine has no mount namespaces, so no file can be mounted by itself");
        return;
    };
    let base = process.dir.read("config.toml");
    let gateway = applied(&cloud, "gateway", "[provider.runbeam]\npoll_interval_secs = 2\n").await;
    applied(&cloud, "pipeline", &echo("first", "/first")).await;
    assert_eq!(process.dir.read("config.toml"), base);
    assert_eq!(process.dir.read("pipelines/first.toml"), echo("first", "/first"));
    process.kill().await;
    process.restart().await;
    let status = process.provider_status().await;
    assert_eq!(status["provider"]["polling"], "every 2 s");
    let overlay = &status["overlay"];
    assert_eq!(file(overlay, "config.toml")["change"], gateway, "{overlay:#}");
    assert_eq!(overlay["files"].as_array().unwrap().len(), 1, "{overlay:#}");
    let reason = &overlay["read_only"][0]["reason"];
    assert_eq!(reason, "the file is mounted by itself", "{overlay:#}");
}

/// A pipeline that is mounted by itself: its changes go to the overlay, and an edit of it from outside is newer.
#[tokio::test]
async fn one_pipeline_mounted_by_itself() {
    const FILE: &str = "pipelines/mine.toml";
    let cloud = ControlPlane::start().await;
    let dir = Workdir::with([(FILE, echo("mine", "/mine"))]);
    let Some(mut process) = GatewayProcess::mounted(&cloud, free_port(), "", dir, Mount::File(FILE)).await
    else {
        eprintln!("NOT TESTED: this machine has no mount namespaces, so no file can be mounted by itself");
        return;
    };
    applied(&cloud, "pipeline", &echo("mine", "/moved")).await;
    applied(&cloud, "pipeline", &echo("other", "/other")).await;
    assert_eq!(process.dir.read(FILE), echo("mine", "/mine"));
    assert_eq!(process.dir.read("pipelines/other.toml"), echo("other", "/other"));
    process.kill().await;
    process.restart().await;
    assert_eq!((process.status_code("/moved").await, process.status_code("/other").await), (200, 200));
    process.dir.write(FILE, &echo("mine", "/by-hand"));
    process.wait_for_sync().await;
    eventually("the edit is live", || async {
        let code = process.status_code("/by-hand").await;
        if code == 200 { Ok(()) } else { Err(code) }
    })
    .await;
    assert_eq!(process.status_code("/moved").await, 404);
}

/// A file that cannot be replaced, which no table of mounts shows: the change goes to the overlay.
#[tokio::test]
async fn a_file_that_is_busy_goes_to_the_overlay() {
    const FILE: &str = "pipelines/mine.toml";
    /// "Operation not permitted", as of an immutable file, and "Device or resource busy".
    const STUCK: [(u8, &str); 2] = [(1, "Operation not permitted"), (16, "busy")];
    for (errno, words) in STUCK {
        let cloud = ControlPlane::start().await;
        let dir = Workdir::with([(FILE, echo("mine", "/mine"))]);
        let process = GatewayProcess::mounted(&cloud, free_port(), "", dir, Mount::Writable).await.unwrap();
        process.fail_disk(&format!("{errno} {}", process.dir.path().join(FILE).display()));
        for n in 0..2 {
            applied(&cloud, "pipeline", &echo("mine", &format!("/moved-{n}"))).await;
            assert_eq!(process.status_code(&format!("/moved-{n}")).await, 200, "{words}");
        }
        assert_eq!(process.dir.read(FILE), echo("mine", "/mine"), "{words}");
        let overlay = process.provider_status().await["overlay"].clone();
        assert!(overlay["read_only"][0]["reason"].as_str().unwrap().contains(words), "{overlay:#}");
        assert!(overlay["read_only"][0]["path"].as_str().unwrap().ends_with(FILE), "{overlay:#}");
    }
}

/// The overlay holds no file outside of the directory of config.toml: a change of one is rejected with the reason.
#[tokio::test]
async fn configuration_mounted_read_only_with_files_elsewhere() {
    let (cloud, mut process) = read_only(&[]).await;
    process.kill().await;
    let inside = process.dir.path().join("pipelines").display().to_string();
    let name = process.dir.path().file_name().unwrap().to_str().unwrap().to_owned();
    // An absolute path of a directory inside is as good as a relative one.
    let paths = format!("id = \"edge\"\npipelines_path = {inside:?}\nmesh_path = \"../{name}/mesh\"");
    process.dir.edit("config.toml", "id = \"edge\"", &paths);
    process.restart().await;
    applied(&cloud, "pipeline", &echo("first", "/first")).await;
    assert!(directory(&process).await.join("pipelines/first.toml").exists());
    let (_, reason) = settled(&cloud, "mesh", &mesh("m", "i").replace("[\"i\"]", "[]"), Status::Failed).await;
    assert!(reason.contains("Read-only file system"), "{reason}");
    assert_eq!(files_below(&directory(&process).await).len(), 1);
}
