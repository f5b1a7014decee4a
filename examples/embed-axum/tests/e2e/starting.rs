//! A start with files that the application rejects.

use std::time::Duration;

use harmony_tests::Workdir;

use crate::embedded::{DEEP, Embedded, TOO_DEEP, fhir, spawn};

#[tokio::test]
async fn last_good_replaces_rejected_files() {
    let mut app = Embedded::local("").await;
    app.last_good("/first").await;
    app.restart_after_kill(|app| app.dir.replace("pipelines/first.toml", &fhir("first", DEEP))).await;
    app.process.wait_until_ready().await;
    assert_eq!(app.get("/first/Patient/1").await.0, 200);
    app.wait_until_out_of_sync(&["(build)", "pipelines/first.toml:7", TOO_DEEP]).await;
    app.dir.replace("pipelines/first.toml", &fhir("first", "/mended"));
    app.wait_for_status("/mended/Patient/1", 200).await;
}

#[tokio::test]
async fn rejected_start_reports_file_and_line() {
    let Embedded { dir, process, .. } = Embedded::local("").await;
    drop(process);
    dir.replace("pipelines/first.toml", &fhir("first", DEEP));
    let nothing_saved = Workdir::new();
    let mut process = spawn(&dir, &nothing_saved, "");
    let exit = tokio::time::timeout(Duration::from_secs(20), process.exit_code()).await;
    assert_eq!(exit.expect("it does not start"), 1);
    let log = process.log();
    assert!(log.contains(TOO_DEEP) && log.contains("pipelines/first.toml:7"), "{log}");
    assert!(!log.contains("ready"), "{log}");
}
