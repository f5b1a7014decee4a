//! Tests of injected faults, of restarts and of the data file.

use std::time::Duration;

use super::client::{get, request};
use crate::control_plane::{ControlPlane, Fault, Status, When};

async fn cloud() -> (ControlPlane, String) {
    let cloud = ControlPlane::start().await;
    let token = cloud.authorize("radiology", "gw").machine_token;
    (cloud, token)
}

#[tokio::test]
async fn a_fault_hits_the_given_number_of_times() {
    let (cloud, token) = cloud().await;
    let rule = cloud.inject(When::call("GET", "/harmony/changes*").times(2), Fault::RetryAfter(429, 7));
    for _ in 0..2 {
        let answer = request(&cloud, "GET", "/api/harmony/changes", &token).send().await.unwrap();
        assert_eq!((answer.status().as_u16(), answer.headers()["retry-after"].as_bytes()), (429, &b"7"[..]));
    }
    assert_eq!(get(&cloud, "/harmony/changes", &token).await.status, 200);
    assert_eq!(cloud.hits(rule), 2);
    let other = cloud.authorize("radiology", "other");
    cloud.inject(When::default().of_gateway(&other.gateway_id), Fault::status(503));
    assert_eq!(get(&cloud, "/harmony/changes", &token).await.status, 200);
    assert_eq!(get(&cloud, "/harmony/changes", &other.machine_token).await.status, 503);
    cloud.clear_faults();
    assert_eq!(get(&cloud, "/harmony/changes", &other.machine_token).await.status, 200);
}

#[tokio::test]
async fn connections_are_cut_at_each_stage() {
    let (cloud, token) = cloud().await;
    let send = || request(&cloud, "GET", "/harmony/changes", &token);
    for fault in [Fault::Cut, Fault::HalfHeaders] {
        let rule = cloud.inject(When::default(), fault.clone());
        assert!(send().send().await.is_err(), "{fault:?}");
        cloud.remove_fault(rule);
    }
    cloud.inject(When::default().times(1), Fault::HalfBody);
    let answer = send().send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert!(answer.bytes().await.is_err());
    assert!(send().send().await.unwrap().bytes().await.is_ok());
}

#[tokio::test]
async fn a_call_with_a_lost_response_is_executed() {
    let (cloud, token) = cloud().await;
    let id = cloud.change("gw", "gateway", "");
    cloud.inject(When::default().times(1), Fault::LoseResponse);
    let body = serde_json::json!({ "change_ids": [id] });
    let sent = request(&cloud, "POST", "/harmony/changes/acknowledge", &token).json(&body).send().await;
    assert!(sent.is_err());
    assert_eq!(cloud.view(&id).status, Status::Acknowledged);
}

#[tokio::test]
async fn bodies_can_be_endless_oversized_or_html() {
    let (cloud, token) = cloud().await;
    let send = || request(&cloud, "GET", "/harmony/changes", &token).send();
    cloud.inject(When::default().times(1), Fault::EndlessBody);
    let mut endless = send().await.unwrap();
    let mut read = 0;
    while read < 1 << 20 {
        read += endless.chunk().await.unwrap().expect("it never ends").len();
    }
    cloud.inject(When::default().times(1), Fault::Oversized(100_000));
    assert_eq!(send().await.unwrap().bytes().await.unwrap().len(), 100_000);
    cloud.inject(When::default().times(1), Fault::html(502));
    let html = send().await.unwrap();
    assert_eq!(html.status(), 502);
    assert!(html.headers()["content-type"].to_str().unwrap().starts_with("text/html"));
}

#[tokio::test]
async fn responses_can_name_another_origin() {
    let (cloud, token) = cloud().await;
    cloud.inject(When::path("/harmony/changes"), Fault::NextLink("http://other.test/".to_owned()));
    cloud.inject(When::path("/harmony/base-url"), Fault::BaseUrl("http://other.test".to_owned()));
    cloud.inject(When::path("/gateways"), Fault::Redirect("http://other.test/".to_owned()));
    let listed = get(&cloud, "/harmony/changes", &token).await.body;
    assert_eq!(listed["links"]["next"], "http://other.test/");
    let base = get(&cloud, "/harmony/base-url", "").await.body;
    assert_eq!(base["full_url"], "http://other.test");
    let client = reqwest::Client::builder()
        .no_proxy()
        .tls_certs_only([])
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap();
    let moved = client.get(format!("{}/gateways", cloud.url())).send().await.unwrap();
    assert_eq!(
        (moved.status().as_u16(), &moved.headers()["location"]),
        (302, &"http://other.test/".parse().unwrap())
    );
}

#[tokio::test]
async fn a_held_request_continues_when_released() {
    let (cloud, token) = cloud().await;
    let rule = cloud.inject(When::path("/harmony/changes"), Fault::Hold);
    let pending = tokio::spawn(request(&cloud, "GET", "/harmony/changes", &token).send());
    cloud.wait_for_hits(rule, 1).await;
    assert_eq!(cloud.requests()[0].status, None);
    cloud.remove_fault(rule);
    assert_eq!(pending.await.unwrap().unwrap().status(), 200);
}

#[tokio::test]
async fn a_restart_drops_connections_and_keeps_state() {
    let (cloud, token) = cloud().await;
    let silent = cloud.inject(When::default(), Fault::Silence);
    let pending = tokio::spawn(request(&cloud, "GET", "/harmony/changes", &token).send());
    cloud.wait_for_hits(silent, 1).await;
    cloud.stop().await;
    assert!(pending.await.unwrap().is_err());
    assert!(request(&cloud, "GET", "/harmony/changes", &token).send().await.unwrap_err().is_connect());
    cloud.clear_faults();
    cloud.restart().await;
    assert_eq!(get(&cloud, "/harmony/changes", &token).await.status, 200);
}

#[tokio::test]
async fn the_data_file_preserves_the_state() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("cloud.json");
    let cloud = ControlPlane::builder().data(&file).start().await.unwrap();
    let token = cloud.authorize("radiology", "gw").machine_token;
    let id = cloud.put_document("gw", "pipeline", "[pipelines.api]\n");
    let (address, user) = (cloud.address(), cloud.user_token("radiology"));
    cloud.stop().await;
    drop(cloud);
    let cloud = ControlPlane::builder().data(&file).listen(address).start().await.unwrap();
    assert_eq!(get(&cloud, "/harmony/changes", &token).await.body["data"][0]["id"], id.as_str());
    assert_eq!(get(&cloud, "/gateways", &user).await.status, 200, "the keys are saved too");
    std::fs::write(&file, "{").unwrap();
    assert!(ControlPlane::builder().data(&file).start().await.is_err(), "an invalid file is not overwritten");
}

#[tokio::test]
async fn a_delay_combines_with_another_fault() {
    let (cloud, token) = cloud().await;
    let rule = cloud.inject(When::default(), Fault::Delay(Duration::from_millis(1)));
    cloud.inject(When::default(), Fault::status(500));
    assert_eq!(get(&cloud, "/harmony/changes", &token).await.status, 500);
    assert_eq!(cloud.hits(rule), 1);
}
