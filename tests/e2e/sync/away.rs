//! A control plane that fails in every way it can.

use harmony_tests::control_plane::{ControlPlane, Fault, Status, When};
use harmony_tests::site::echo;
use harmony_tests::{InProcessGateway, InProcessGatewayOptions, eventually};
use serde_json::json;

use super::status;

/// The control plane does `fault` to every request; then it is well again.
async fn away(fault: Fault) {
    let cloud = ControlPlane::start().await;
    let gateway = InProcessGateway::following(&cloud).await;
    let first = cloud.put_document("edge", "pipeline", &echo("first", "/first"));
    assert_eq!(cloud.wait_until_settled(&first).await.status, Status::Applied);
    let rule = cloud.inject(When::default(), fault);
    let change = cloud.put_document("edge", "pipeline", &echo("later", "/later"));
    cloud.wait_for_hits(rule, 1).await;
    eventually("the failure in the status", || async {
        let status = gateway.host.status();
        match (status.sync.as_ref().and_then(|sync| sync.failure.clone()), status.reason()) {
            (Some(_), Some(_)) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
    assert_eq!((status(gateway.url("/first")).await, status(gateway.url("/later")).await), (200, 404));
    cloud.remove_fault(rule);
    // What the loop does by itself is shown on a clock that is turned; a person need not wait for it.
    gateway.host.sync().await.unwrap();
    assert_eq!(cloud.wait_until_settled(&change).await.status, Status::Applied);
    assert_eq!(status(gateway.url("/later")).await, 200);
    eventually("the status to clear", || async { gateway.host.status().reason().map_or(Ok(()), Err) }).await;
    assert!(cloud.violations().is_empty(), "{:?}", cloud.violations());
}

#[tokio::test]
async fn an_error_of_the_server_is_survived() {
    away(Fault::status(500)).await;
}

#[tokio::test]
async fn being_refused_is_survived() {
    tokio::join!(away(Fault::status(401)), away(Fault::status(403)));
}

#[tokio::test]
async fn being_told_to_wait_is_survived() {
    away(Fault::RetryAfter(429, 120)).await;
}

#[tokio::test]
async fn garbage_and_pages_of_a_proxy_are_survived() {
    tokio::join!(
        away(Fault::Status(200, json!([]))),
        away(Fault::html(200)),
        away(Fault::HalfBody),
        away(Fault::Response { status: 200, content_type: "application/json", body: "{\"data\":".into() }),
    );
}

#[tokio::test]
async fn an_endless_body_and_a_connection_that_is_cut_are_survived() {
    tokio::join!(away(Fault::EndlessBody), away(Fault::Cut), away(Fault::HalfHeaders));
}

#[tokio::test]
async fn silence_is_survived() {
    away(Fault::Silence).await;
}

#[tokio::test]
async fn a_control_plane_that_leads_elsewhere_is_not_followed() {
    let elsewhere = ControlPlane::start().await;
    tokio::join!(
        away(Fault::Redirect(elsewhere.url().to_owned())),
        away(Fault::NextLink(format!("{}/harmony/changes/x?page=2", elsewhere.url()))),
    );
    assert!(elsewhere.requests().is_empty(), "{:?}", elsewhere.requests());
}

#[tokio::test]
async fn a_gateway_starts_and_serves_while_its_control_plane_is_down_and_follows_it_when_it_comes() {
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
async fn after_it_was_revoked_a_gateway_follows_again_when_somebody_authorizes_it() {
    let cloud = ControlPlane::start().await;
    let gateway = InProcessGateway::following(&cloud).await;
    cloud.wait_for_count("GET", "/harmony/changes/", 1).await;
    cloud.revoke("edge");
    eventually("the refusal in the status", || async {
        let sync = gateway.host.status().sync.clone();
        let authorization = sync.map(|sync| sync.authorization);
        if authorization == Some("refused") { Ok(()) } else { Err(format!("{authorization:?}")) }
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
async fn a_verdict_whose_answer_is_lost_is_reported_again_and_once() {
    let cloud = ControlPlane::start().await;
    let gateway = InProcessGateway::following(&cloud).await;
    for route in ["/harmony/changes/acknowledge", "/harmony/change/*/applied", "/harmony/change/*/failed"] {
        cloud.inject(When::call("POST", route).times(1), Fault::LoseResponse);
    }
    let good = cloud.put_document("edge", "pipeline", &echo("good", "/good"));
    let bad = cloud.change("edge", "pipeline", "no toml");
    assert_eq!(cloud.wait_until_settled(&good).await.status, Status::Applied);
    assert_eq!(cloud.wait_until_settled(&bad).await.status, Status::Failed);
    eventually("everything to be delivered", || async {
        let sync = gateway.host.status().sync.clone();
        let left = sync.map(|sync| (sync.unsettled, sync.undelivered));
        if left == Some((0, 0)) { Ok(()) } else { Err(format!("{left:?}")) }
    })
    .await;
    assert!(cloud.violations().is_empty(), "{:?}", cloud.violations());
}
