//! Failures of the control plane, in every way it can fail.

use harmony_tests::control_plane::{ControlPlane, Fault, Status, When};
use harmony_tests::site::echo;
use harmony_tests::{InProcessGateway, InProcessGatewayOptions, eventually};
use serde_json::json;

use super::status;

/// Injects `fault` into every request, checks that the gateway keeps serving, then clears it and checks the recovery.
async fn survive(fault: Fault) {
    let cloud = ControlPlane::start().await;
    let gateway = InProcessGateway::following(&cloud).await;
    let first = cloud.put_document("edge", "pipeline", &echo("first", "/first"));
    assert_eq!(cloud.wait_until_settled(&first).await.status, Status::Applied);
    let rule = cloud.inject(When::default(), fault);
    let change = cloud.put_document("edge", "pipeline", &echo("later", "/later"));
    cloud.wait_for_hits(rule, 1).await;
    eventually("the status shows the failure", || async {
        let status = gateway.host.status();
        match (status.sync.as_ref().and_then(|sync| sync.failure.clone()), status.reason()) {
            (Some(_), Some(_)) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
    assert_eq!((status(gateway.url("/first")).await, status(gateway.url("/later")).await), (200, 404));
    cloud.remove_fault(rule);
    // A requested sync skips the backoff. The unit tests of the loop cover the backoff, on a paused clock.
    gateway.host.sync().await.unwrap();
    assert_eq!(cloud.wait_until_settled(&change).await.status, Status::Applied);
    assert_eq!(status(gateway.url("/later")).await, 200);
    eventually("the status is clear", || async { gateway.host.status().reason().map_or(Ok(()), Err) }).await;
    assert!(cloud.violations().is_empty(), "{:?}", cloud.violations());
}

#[tokio::test]
async fn server_errors_are_survived() {
    survive(Fault::status(500)).await;
}

#[tokio::test]
async fn rejected_credentials_are_survived() {
    tokio::join!(survive(Fault::status(401)), survive(Fault::status(403)));
}

#[tokio::test]
async fn retry_after_is_survived() {
    survive(Fault::RetryAfter(429, 120)).await;
}

#[tokio::test]
async fn malformed_responses_are_survived() {
    tokio::join!(
        survive(Fault::Status(200, json!([]))),
        survive(Fault::html(200)),
        survive(Fault::HalfBody),
        survive(Fault::Response { status: 200, content_type: "application/json", body: "{\"data\":".into() }),
    );
}

#[tokio::test]
async fn endless_bodies_and_cuts_are_survived() {
    tokio::join!(survive(Fault::EndlessBody), survive(Fault::Cut), survive(Fault::HalfHeaders));
}

#[tokio::test]
async fn missing_responses_are_survived() {
    survive(Fault::Silence).await;
}

#[tokio::test]
async fn redirects_and_foreign_links_are_not_followed() {
    let elsewhere = ControlPlane::start().await;
    tokio::join!(
        survive(Fault::Redirect(elsewhere.url().to_owned())),
        survive(Fault::NextLink(format!("{}/harmony/changes/x?page=2", elsewhere.url()))),
    );
    assert!(elsewhere.requests().is_empty(), "{:?}", elsewhere.requests());
}

/// A gateway starts and serves while its control plane is down, and syncs when it is up.
#[tokio::test]
async fn a_start_without_a_control_plane_serves() {
    let cloud = ControlPlane::start().await;
    cloud.stop().await;
    let options =
        InProcessGatewayOptions { sections: echo("first", "/first"), ..InProcessGatewayOptions::default() };
    let gateway = InProcessGateway::with(&cloud, options).await;
    assert_eq!(status(gateway.url("/first")).await, 200);
    let change = cloud.put_document("edge", "pipeline", &echo("later", "/later"));
    cloud.restart().await;
    assert_eq!(cloud.wait_until_settled(&change).await.status, Status::Applied);
    assert_eq!(status(gateway.url("/later")).await, 200);
}

#[tokio::test]
async fn a_revoked_gateway_syncs_when_reauthorized() {
    let cloud = ControlPlane::start().await;
    let gateway = InProcessGateway::following(&cloud).await;
    cloud.wait_for_count("GET", "/harmony/changes/", 1).await;
    cloud.revoke("edge");
    eventually("the status shows the rejected credential", || async {
        let sync = gateway.host.status().sync.clone();
        let authorization = sync.map(|sync| sync.authorization);
        if authorization == Some(harmony_host::Authorization::Refused) {
            Ok(())
        } else {
            Err(format!("{authorization:?}"))
        }
    })
    .await;
    let change = cloud.put_document("edge", "pipeline", &echo("later", "/later"));
    let answer = harmony_tests::client()
        .post(gateway.admin_url("/admin/authorize"))
        .bearer_auth(cloud.user_token("acme"))
        .json(&json!({ "gateway_code": "edge" }))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200, "{:?}", answer.text().await);
    assert_eq!(cloud.wait_until_settled(&change).await.status, Status::Applied);
}

#[tokio::test]
async fn a_lost_verdict_response_is_retried() {
    let cloud = ControlPlane::start().await;
    let gateway = InProcessGateway::following(&cloud).await;
    for route in ["/harmony/changes/acknowledge", "/harmony/change/*/applied", "/harmony/change/*/failed"] {
        cloud.inject(When::call("POST", route).times(1), Fault::LoseResponse);
    }
    let good = cloud.put_document("edge", "pipeline", &echo("good", "/good"));
    let bad = cloud.change("edge", "pipeline", "no toml");
    assert_eq!(cloud.wait_until_settled(&good).await.status, Status::Applied);
    assert_eq!(cloud.wait_until_settled(&bad).await.status, Status::Failed);
    eventually("every verdict is delivered", || async {
        let sync = gateway.host.status().sync.clone();
        let left = sync.map(|sync| (sync.unsettled, sync.undelivered));
        if left == Some((0, 0)) { Ok(()) } else { Err(format!("{left:?}")) }
    })
    .await;
    assert!(cloud.violations().is_empty(), "{:?}", cloud.violations());
}
