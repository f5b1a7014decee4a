//! Tests of the proxy, in front of a development control plane.

use std::time::Duration;

use reqwest::{RequestBuilder, StatusCode};
use serde_json::{Value, json};

use super::{FaultProxy, ForwardedResponse, NetworkFault};
use crate::client;
use crate::control_plane::{ControlPlane, Fault, Status, When};

struct Pair {
    cloud: ControlPlane,
    proxy: FaultProxy,
    token: String,
}

async fn pair() -> Pair {
    let (cloud, proxy) = FaultProxy::in_front_of(ControlPlane::builder()).await;
    let token = cloud.authorize("radiology", "gw").machine_token;
    Pair { cloud, proxy, token }
}

impl Pair {
    fn list(&self) -> RequestBuilder {
        client().get(format!("{}/harmony/changes", self.proxy.url())).bearer_auth(&self.token)
    }

    fn acknowledge(&self, change: &str) -> RequestBuilder {
        let url = format!("{}/api/harmony/changes/acknowledge", self.proxy.url());
        client().post(url).bearer_auth(&self.token).json(&json!({ "change_ids": [change] }))
    }

    async fn ids(&self) -> Vec<String> {
        let body: Value = self.list().send().await.unwrap().json().await.unwrap();
        let entries = body["data"].as_array().unwrap().iter();
        entries.map(|entry| entry["id"].as_str().unwrap().to_owned()).collect()
    }
}

#[tokio::test]
async fn without_faults_responses_are_unchanged() {
    let pair = pair().await;
    let change = pair.cloud.change("gw", "gateway", "");
    assert_eq!(pair.ids().await, [change]);
    let base = client().get(format!("{}/harmony/base-url", pair.proxy.url())).send().await.unwrap();
    let base: Value = base.json().await.unwrap();
    assert_eq!(base["full_url"], format!("{}/api", pair.proxy.url()), "the base URL is the proxy's");
    let etag = pair.list().send().await.unwrap().headers()["etag"].clone();
    let same = pair.list().header("if-none-match", etag).send().await.unwrap();
    assert_eq!(same.status(), StatusCode::NOT_MODIFIED);
    let refused = pair.list().bearer_auth("nobody").send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(pair.cloud.requests().len(), pair.proxy.requests().len());
    assert!(pair.cloud.violations().is_empty(), "{:?}", pair.cloud.violations());
}

#[tokio::test]
async fn cut_requests_and_lost_responses() {
    let pair = pair().await;
    let change = pair.cloud.change("gw", "gateway", "");
    let when = || When::call("POST", "/harmony/changes/acknowledge").times(1);
    let cut = pair.proxy.inject(when(), NetworkFault::Cut);
    assert!(pair.acknowledge(&change).send().await.is_err());
    assert_eq!((pair.cloud.view(&change).status, pair.proxy.hits(cut)), (Status::Pending, 1));
    pair.proxy.inject(when(), NetworkFault::LoseResponse);
    assert!(pair.acknowledge(&change).send().await.is_err());
    assert_eq!(pair.cloud.view(&change).status, Status::Acknowledged);
    let sent: Vec<usize> = pair.proxy.requests().iter().map(|request| request.sent).collect();
    assert_eq!(sent, [0, 1]);
}

#[tokio::test]
async fn responses_are_cut_or_truncated() {
    let pair = pair().await;
    pair.proxy.inject(When::default().times(1), NetworkFault::HalfHeaders);
    assert!(pair.list().send().await.is_err());
    pair.proxy.inject(When::default().times(1), NetworkFault::HalfBody);
    let half = pair.list().send().await.unwrap();
    assert_eq!(half.status(), StatusCode::OK);
    assert!(half.bytes().await.is_err());
    pair.proxy.inject(When::default().times(1), NetworkFault::Truncate);
    let short = pair.list().send().await.unwrap().bytes().await.unwrap();
    let whole = pair.list().send().await.unwrap().bytes().await.unwrap();
    assert_eq!(short, whole[..whole.len() / 2]);
}

#[tokio::test]
async fn a_duplicate_forwards_either_response() {
    let pair = pair().await;
    for (name, forwarded, expected) in
        [("a", ForwardedResponse::First, "created"), ("b", ForwardedResponse::Second, "updated")]
    {
        let times = pair.cloud.count("POST", "/harmony/update");
        pair.proxy.inject(When::default().times(1), NetworkFault::Duplicate(forwarded));
        let config = format!("[pipelines.{name}]\n");
        let update = client().post(format!("{}/harmony/update", pair.proxy.url())).bearer_auth(&pair.token);
        let update = update.json(&json!({ "type": "pipeline", "config": config })).send().await.unwrap();
        let answer: Value = update.json().await.unwrap();
        assert_eq!(answer["data"]["action"], expected, "{answer}");
        assert_eq!(pair.cloud.count("POST", "/harmony/update"), times + 2);
    }
}

#[tokio::test]
async fn lists_are_reordered_and_duplicated() {
    let pair = pair().await;
    let mut changes: Vec<String> = (0..8).map(|_| pair.cloud.change("gw", "gateway", "")).collect();
    pair.proxy.inject(When::path("/harmony/changes").times(1), NetworkFault::Reverse);
    assert_eq!(pair.ids().await, changes);
    changes.reverse();
    assert_eq!(pair.ids().await, changes);
    pair.proxy.inject(When::path("/harmony/changes").times(2), NetworkFault::Shuffle(3));
    let (shuffled, again) = (pair.ids().await, pair.ids().await);
    assert!(shuffled != changes && shuffled == again);
    pair.proxy.inject(When::path("/harmony/changes").times(1), NetworkFault::DuplicateEntries);
    let repeated = pair.ids().await;
    assert_eq!((repeated.len(), &repeated[0], &repeated[1]), (16, &changes[0], &changes[0]));
}

#[tokio::test]
async fn delays_combine_with_other_faults() {
    let pair = pair().await;
    let delay = pair.proxy.inject(When::default().times(1), NetworkFault::Delay(Duration::from_millis(1)));
    pair.proxy.inject(When::default().times(1), NetworkFault::Cut);
    assert!(pair.list().send().await.is_err());
    assert_eq!((pair.proxy.hits(delay), pair.cloud.requests().len()), (1, 0));
    pair.proxy.inject(When::default(), NetworkFault::DelayResponse(Duration::from_secs(3600)));
    let pending = tokio::spawn(pair.list().send());
    pair.cloud.wait_for_count("GET", "/harmony/changes", 1).await;
    assert!(!pending.is_finished(), "the response is delayed");
    pending.abort();
}

#[tokio::test]
async fn stopped_and_unresponsive_proxies() {
    let pair = pair().await;
    pair.proxy.stop().await;
    assert!(pair.list().send().await.unwrap_err().is_connect());
    pair.proxy.restart().await;
    assert_eq!(pair.list().send().await.unwrap().status(), StatusCode::OK);
    pair.proxy.set_unresponsive(true);
    let silent = pair.list().timeout(Duration::from_millis(50)).send().await.unwrap_err();
    assert!(silent.is_timeout());
    pair.proxy.clear_faults();
    pair.proxy.inject(When::default().times(1), NetworkFault::Silence);
    assert!(pair.list().timeout(Duration::from_millis(50)).send().await.unwrap_err().is_timeout());
    assert_eq!(pair.list().send().await.unwrap().status(), StatusCode::OK);
    assert_eq!(pair.cloud.requests().len(), 2);
}

#[tokio::test]
async fn a_gateway_is_recognized_by_its_id() {
    let pair = pair().await;
    let id = pair.cloud.gateway_id("gw");
    pair.proxy.inject(When::default().of_gateway(&id), NetworkFault::Cut);
    let own = client().get(format!("{}/harmony/changes/{id}", pair.proxy.url())).bearer_auth(&pair.token);
    assert!(own.send().await.is_err());
    assert_eq!(pair.list().send().await.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn bodies_stream_and_a_dead_upstream_cuts() {
    let pair = pair().await;
    pair.cloud.inject(When::default().times(1), Fault::EndlessBody);
    let mut endless = pair.list().send().await.unwrap();
    let mut read = 0;
    while read < 1 << 20 {
        read += endless.chunk().await.unwrap().expect("it never ends").len();
    }
    drop(endless);
    pair.cloud.stop().await;
    let broken = pair.list().send().await.unwrap_err();
    assert!(!broken.is_connect(), "{broken:?}");
}
