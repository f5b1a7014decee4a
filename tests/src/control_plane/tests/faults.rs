use std::time::Duration;

use super::client::{get, request};
use crate::control_plane::{ControlPlane, Fault, Status, When};

async fn cloud() -> (ControlPlane, String) {
    let cloud = ControlPlane::start().await;
    let token = cloud.authorized("radiology", "gw").machine_token;
    (cloud, token)
}

#[tokio::test]
async fn a_fault_strikes_as_often_as_it_was_told_to() {
    let (cloud, token) = cloud().await;
    let rule = cloud.fault(When::call("GET", "/harmony/changes*").times(2), Fault::RetryAfter(429, 7));
    for _ in 0..2 {
        let answer = request(&cloud, "GET", "/api/harmony/changes", &token).send().await.unwrap();
        assert_eq!((answer.status().as_u16(), answer.headers()["retry-after"].as_bytes()), (429, &b"7"[..]));
    }
    assert_eq!(get(&cloud, "/harmony/changes", &token).await.status, 200);
    assert_eq!(cloud.hits(rule), 2);
    let other = cloud.authorized("radiology", "other");
    cloud.fault(When::default().of_gateway(&other.gateway_id), Fault::status(503));
    assert_eq!(get(&cloud, "/harmony/changes", &token).await.status, 200);
    assert_eq!(get(&cloud, "/harmony/changes", &other.machine_token).await.status, 503);
    cloud.clear_faults();
    assert_eq!(get(&cloud, "/harmony/changes", &other.machine_token).await.status, 200);
}

#[tokio::test]
async fn connections_break_before_within_and_after_the_headers() {
    let (cloud, token) = cloud().await;
    let ask = || request(&cloud, "GET", "/harmony/changes", &token);
    for fault in [Fault::Cut, Fault::HalfHeaders] {
        let rule = cloud.fault(When::default(), fault.clone());
        assert!(ask().send().await.is_err(), "{fault:?}");
        cloud.unfault(rule);
    }
    cloud.fault(When::default().times(1), Fault::HalfBody);
    let answer = ask().send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert!(answer.bytes().await.is_err());
    assert!(ask().send().await.unwrap().bytes().await.is_ok());
}

#[tokio::test]
async fn an_answer_that_is_lost_was_carried_out() {
    let (cloud, token) = cloud().await;
    let id = cloud.change("gw", "gateway", "");
    cloud.fault(When::default().times(1), Fault::LoseAnswer);
    let body = serde_json::json!({ "change_ids": [id] });
    let sent = request(&cloud, "POST", "/harmony/changes/acknowledge", &token).json(&body).send().await;
    assert!(sent.is_err());
    assert_eq!(cloud.view(&id).status, Status::Acknowledged);
}

#[tokio::test]
async fn bodies_can_be_endless_large_or_another_kind() {
    let (cloud, token) = cloud().await;
    let ask = || request(&cloud, "GET", "/harmony/changes", &token).send();
    cloud.fault(When::default().times(1), Fault::EndlessBody);
    let mut endless = ask().await.unwrap();
    let mut read = 0;
    while read < 1 << 20 {
        read += endless.chunk().await.unwrap().expect("it never ends").len();
    }
    cloud.fault(When::default().times(1), Fault::Oversized(100_000));
    assert_eq!(ask().await.unwrap().bytes().await.unwrap().len(), 100_000);
    cloud.fault(When::default().times(1), Fault::html(502));
    let html = ask().await.unwrap();
    assert_eq!(html.status(), 502);
    assert!(html.headers()["content-type"].to_str().unwrap().starts_with("text/html"));
}

#[tokio::test]
async fn answers_can_lead_elsewhere() {
    let (cloud, token) = cloud().await;
    cloud.fault(When::path("/harmony/changes"), Fault::NextLink("http://other.test/".to_owned()));
    cloud.fault(When::path("/harmony/base-url"), Fault::BaseUrl("http://other.test".to_owned()));
    cloud.fault(When::path("/gateways"), Fault::Redirect("http://other.test/".to_owned()));
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
async fn a_request_can_be_held_until_it_is_let_go() {
    let (cloud, token) = cloud().await;
    let rule = cloud.fault(When::path("/harmony/changes"), Fault::Hold);
    let asked = tokio::spawn(request(&cloud, "GET", "/harmony/changes", &token).send());
    cloud.wait_for_hits(rule, 1).await;
    assert_eq!(cloud.requests()[0].status, None);
    cloud.unfault(rule);
    assert_eq!(asked.await.unwrap().unwrap().status(), 200);
}

#[tokio::test]
async fn stopping_drops_who_waits_and_starting_again_keeps_everything() {
    let (cloud, token) = cloud().await;
    let silent = cloud.fault(When::default(), Fault::Silence);
    let asked = tokio::spawn(request(&cloud, "GET", "/harmony/changes", &token).send());
    cloud.wait_for_hits(silent, 1).await;
    cloud.stop().await;
    assert!(asked.await.unwrap().is_err());
    assert!(request(&cloud, "GET", "/harmony/changes", &token).send().await.unwrap_err().is_connect());
    cloud.clear_faults();
    cloud.start_again().await;
    assert_eq!(get(&cloud, "/harmony/changes", &token).await.status, 200);
}

#[tokio::test]
async fn what_is_kept_in_a_file_survives() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("cloud.json");
    let cloud = ControlPlane::builder().data(&file).start().await.unwrap();
    let token = cloud.authorized("radiology", "gw").machine_token;
    let id = cloud.put_document("gw", "pipeline", "[pipelines.api]\n");
    let (address, user) = (cloud.address(), cloud.user_token("radiology"));
    cloud.stop().await;
    drop(cloud);
    let cloud = ControlPlane::builder().data(&file).listen(address).start().await.unwrap();
    assert_eq!(get(&cloud, "/harmony/changes", &token).await.body["data"][0]["id"], id.as_str());
    assert_eq!(get(&cloud, "/gateways", &user).await.status, 200, "the keys are kept too");
    std::fs::write(&file, "{").unwrap();
    assert!(ControlPlane::builder().data(&file).start().await.is_err(), "a broken file is not replaced");
}

#[tokio::test]
async fn a_delay_comes_before_the_answer() {
    let (cloud, token) = cloud().await;
    let rule = cloud.fault(When::default(), Fault::Delay(Duration::from_millis(1)));
    cloud.fault(When::default(), Fault::status(500));
    assert_eq!(get(&cloud, "/harmony/changes", &token).await.status, 500);
    assert_eq!(cloud.hits(rule), 1);
}
