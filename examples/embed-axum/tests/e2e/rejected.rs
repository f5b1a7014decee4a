//! Configurations that the application rejects while it serves.

use harmony_tests::control_plane::ControlPlane;

use crate::embedded::{DEEP, Embedded, TOO_DEEP, applied, failed, fhir};

#[tokio::test]
async fn rejected_change_modifies_nothing() {
    let cloud = ControlPlane::start().await;
    let app = Embedded::following(&cloud, "").await;
    applied(&cloud, "second", "/second").await;
    let (files, kept) = (app.files(), app.last_good("/second").await);
    let bad = cloud.put_document("edge", "pipeline", &fhir("second", DEEP));
    failed(
        &cloud,
        &bad,
        &["build: ", TOO_DEEP, "pipelines/second.toml:7", "endpoints.second.options.path_prefix"],
    )
    .await;
    app.wait_until_out_of_sync(&[TOO_DEEP]).await;
    assert_eq!(app.files(), files);
    assert_eq!(app.last_good("/second").await, kept);
    assert_eq!((app.get("/second/Patient/1").await.0, app.get(DEEP).await.0), (200, 404));
    applied(&cloud, "second", "/third").await;
    assert_eq!((app.get("/third/Patient/1").await.0, app.get("/second/Patient/1").await.0), (200, 404));
    app.last_good("/third").await;
    assert!(cloud.violations().is_empty(), "{:?}", cloud.violations());
}

#[tokio::test]
async fn change_of_the_address_is_rejected() {
    let cloud = ControlPlane::start().await;
    let app = Embedded::following(&cloud, "").await;
    let moved = crate::embedded::network("public", harmony_tests::free_port());
    let change = cloud.change("edge", "gateway", &moved);
    // The management API is mounted on this network, so the host rejects the change before the application sees it.
    failed(&cloud, &change, &["validate: ", "network.public"]).await;
    assert_eq!(app.get("/first/Patient/1").await.0, 200);
}

#[tokio::test]
async fn edit_of_the_address_is_rejected() {
    let app = Embedded::local("").await;
    let text = app.dir.read("config.toml");
    let port = text.lines().find(|line| line.starts_with("bind_port")).expect("the network has a port");
    app.dir.edit("config.toml", port, &format!("bind_port = {}", harmony_tests::free_port()));
    app.wait_until_out_of_sync(&["(build)", "config.toml:", "network.public.http.bind_port"]).await;
    assert_eq!(app.get("/first/Patient/1").await.0, 200);
}

#[tokio::test]
async fn rejected_edit_stays_in_its_file() {
    let app = Embedded::local("").await;
    let kept = app.last_good("/first").await;
    app.dir.replace("pipelines/first.toml", &fhir("first", DEEP));
    app.wait_until_out_of_sync(&["(build)", "pipelines/first.toml:7", TOO_DEEP]).await;
    assert_eq!(app.dir.read("pipelines/first.toml"), fhir("first", DEEP));
    assert_eq!(app.get("/first/Patient/1").await.0, 200);
    assert_eq!(app.last_good("/first").await, kept);
    app.dir.replace("pipelines/first.toml", &fhir("first", "/mended"));
    app.wait_for_status("/mended/Patient/1", 200).await;
    assert_eq!(app.get("/first/Patient/1").await.0, 404);
    app.last_good("/mended").await;
}
