//! An application that panics in `activate`, or never returns from it.

use harmony_tests::control_plane::ControlPlane;

use crate::embedded::{Embedded, applied, failed, fhir};

/// A fault, and a part of the expected message.
const PANIC: (&str, &str) = ("panic", "panicked in `activate`");
const HANG: (&str, &str) = ("hang", "did not return from `activate` within 2 s");

async fn fails_the_change((fault, words): (&str, &str)) {
    let cloud = ControlPlane::start().await;
    let app = Embedded::following(&cloud, "").await;
    applied(&cloud, "second", "/second").await;
    let (files, kept) = (app.files(), app.last_good("/second").await);
    app.set_fault(fault);
    let bad = cloud.put_document("edge", "pipeline", &fhir("second", "/bad"));
    failed(&cloud, &bad, &["activate: ", words]).await;
    assert_eq!(app.files(), files);
    assert_eq!(app.last_good("/second").await, kept);
    assert_eq!((app.get("/second/Patient/1").await.0, app.get("/bad/Patient/1").await.0), (200, 404));
    app.clear_fault();
    applied(&cloud, "second", "/third").await;
    assert_eq!((app.get("/third/Patient/1").await.0, app.get("/second/Patient/1").await.0), (200, 404));
}

async fn rejects_the_edit((fault, words): (&str, &str)) {
    let app = Embedded::local("").await;
    let kept = app.last_good("/first").await;
    app.set_fault(fault);
    app.dir.replace("pipelines/first.toml", &fhir("first", "/bad"));
    app.wait_until_out_of_sync(&["(activate)", words]).await;
    assert_eq!((app.get("/first/Patient/1").await.0, app.get("/bad/Patient/1").await.0), (200, 404));
    assert_eq!(app.dir.read("pipelines/first.toml"), fhir("first", "/bad"));
    assert_eq!(app.last_good("/first").await, kept);
    app.clear_fault();
    app.dir.replace("pipelines/first.toml", &fhir("first", "/good"));
    app.wait_for_status("/good/Patient/1", 200).await;
}

#[tokio::test]
async fn panic_fails_the_change() {
    fails_the_change(PANIC).await;
}

#[tokio::test]
async fn hang_fails_the_change() {
    fails_the_change(HANG).await;
}

#[tokio::test]
async fn panic_rejects_the_edit() {
    rejects_the_edit(PANIC).await;
}

#[tokio::test]
async fn hang_rejects_the_edit() {
    rejects_the_edit(HANG).await;
}
