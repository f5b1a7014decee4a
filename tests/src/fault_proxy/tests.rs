use std::time::Duration;

use reqwest::{RequestBuilder, StatusCode};
use serde_json::{Value, json};

use super::{FaultProxy, Heard, Mishap};
use crate::client;
use crate::control_plane::{ControlPlane, Fault, Status, When};

struct Pair {
    cloud: ControlPlane,
    proxy: FaultProxy,
    token: String,
}

async fn pair() -> Pair {
    let (cloud, proxy) = FaultProxy::before(ControlPlane::builder()).await;
    let token = cloud.authorized("radiology", "gw").machine_token;
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
async fn what_meets_with_nothing_is_what_the_control_plane_said() {
    let pair = pair().await;
    let change = pair.cloud.change("gw", "gateway", "");
    assert_eq!(pair.ids().await, [change]);
    let base = client().get(format!("{}/harmony/base-url", pair.proxy.url())).send().await.unwrap();
    let base: Value = base.json().await.unwrap();
    assert_eq!(base["full_url"], format!("{}/api", pair.proxy.url()), "nothing leads around the proxy");
    let etag = pair.list().send().await.unwrap().headers()["etag"].clone();
    let same = pair.list().header("if-none-match", etag).send().await.unwrap();
    assert_eq!(same.status(), StatusCode::NOT_MODIFIED);
    let refused = pair.list().bearer_auth("nobody").send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(pair.cloud.requests().len(), pair.proxy.passed().len());
    assert!(pair.cloud.violations().is_empty(), "{:?}", pair.cloud.violations());
}

#[tokio::test]
async fn a_request_that_is_cut_never_arrives_and_one_whose_answer_is_lost_does() {
    let pair = pair().await;
    let change = pair.cloud.change("gw", "gateway", "");
    let when = || When::call("POST", "/harmony/changes/acknowledge").times(1);
    let cut = pair.proxy.fault(when(), Mishap::Cut);
    assert!(pair.acknowledge(&change).send().await.is_err());
    assert_eq!((pair.cloud.view(&change).status, pair.proxy.hits(cut)), (Status::Pending, 1));
    pair.proxy.fault(when(), Mishap::LoseAnswer);
    assert!(pair.acknowledge(&change).send().await.is_err());
    assert_eq!(pair.cloud.view(&change).status, Status::Acknowledged);
    let delivered: Vec<usize> = pair.proxy.passed().iter().map(|passed| passed.delivered).collect();
    assert_eq!(delivered, [0, 1]);
}

#[tokio::test]
async fn an_answer_breaks_off_or_is_shorter_than_it_was() {
    let pair = pair().await;
    pair.proxy.fault(When::default().times(1), Mishap::HalfHeaders);
    assert!(pair.list().send().await.is_err());
    pair.proxy.fault(When::default().times(1), Mishap::HalfBody);
    let half = pair.list().send().await.unwrap();
    assert_eq!(half.status(), StatusCode::OK);
    assert!(half.bytes().await.is_err());
    pair.proxy.fault(When::default().times(1), Mishap::Truncate);
    let short = pair.list().send().await.unwrap().bytes().await.unwrap();
    let whole = pair.list().send().await.unwrap().bytes().await.unwrap();
    assert_eq!(short, whole[..whole.len() / 2]);
}

#[tokio::test]
async fn a_request_arrives_twice_and_either_answer_is_heard() {
    let pair = pair().await;
    for (name, heard, expected) in [("a", Heard::First, "created"), ("b", Heard::Second, "updated")] {
        let times = pair.cloud.count("POST", "/harmony/update");
        pair.proxy.fault(When::default().times(1), Mishap::Twice(heard));
        let config = format!("[pipelines.{name}]\n");
        let update = client().post(format!("{}/harmony/update", pair.proxy.url())).bearer_auth(&pair.token);
        let update = update.json(&json!({ "type": "pipeline", "config": config })).send().await.unwrap();
        let answer: Value = update.json().await.unwrap();
        assert_eq!(answer["data"]["action"], expected, "{answer}");
        assert_eq!(pair.cloud.count("POST", "/harmony/update"), times + 2);
    }
}

#[tokio::test]
async fn lists_arrive_in_another_order_and_with_entries_that_are_there_twice() {
    let pair = pair().await;
    let mut changes: Vec<String> = (0..8).map(|_| pair.cloud.change("gw", "gateway", "")).collect();
    pair.proxy.fault(When::path("/harmony/changes").times(1), Mishap::Reverse);
    assert_eq!(pair.ids().await, changes);
    changes.reverse();
    assert_eq!(pair.ids().await, changes);
    pair.proxy.fault(When::path("/harmony/changes").times(2), Mishap::Shuffle(3));
    let (shuffled, again) = (pair.ids().await, pair.ids().await);
    assert!(shuffled != changes && shuffled == again);
    pair.proxy.fault(When::path("/harmony/changes").times(1), Mishap::Repeat);
    let repeated = pair.ids().await;
    assert_eq!((repeated.len(), &repeated[0], &repeated[1]), (16, &changes[0], &changes[0]));
}

#[tokio::test]
async fn a_delay_comes_with_another_mishap_and_one_of_an_answer_after_the_call() {
    let pair = pair().await;
    let delay = pair.proxy.fault(When::default().times(1), Mishap::Delay(Duration::from_millis(1)));
    pair.proxy.fault(When::default().times(1), Mishap::Cut);
    assert!(pair.list().send().await.is_err());
    assert_eq!((pair.proxy.hits(delay), pair.cloud.requests().len()), (1, 0));
    pair.proxy.fault(When::default(), Mishap::DelayAnswer(Duration::from_secs(3600)));
    let asked = tokio::spawn(pair.list().send());
    pair.cloud.wait_for_count("GET", "/harmony/changes", 1).await;
    assert!(!asked.is_finished());
    asked.abort();
}

#[tokio::test]
async fn a_port_that_is_closed_refuses_and_one_that_swallows_says_nothing() {
    let pair = pair().await;
    pair.proxy.stop().await;
    assert!(pair.list().send().await.unwrap_err().is_connect());
    pair.proxy.start_again().await;
    assert_eq!(pair.list().send().await.unwrap().status(), StatusCode::OK);
    pair.proxy.swallow(true);
    let silent = pair.list().timeout(Duration::from_millis(50)).send().await.unwrap_err();
    assert!(silent.is_timeout());
    pair.proxy.clear_faults();
    pair.proxy.fault(When::default().times(1), Mishap::Silence);
    assert!(pair.list().timeout(Duration::from_millis(50)).send().await.unwrap_err().is_timeout());
    assert_eq!(pair.list().send().await.unwrap().status(), StatusCode::OK);
    assert_eq!(pair.cloud.requests().len(), 2);
}

#[tokio::test]
async fn a_gateway_is_known_by_its_id_in_the_path() {
    let pair = pair().await;
    let id = pair.cloud.gateway_id("gw");
    pair.proxy.fault(When::default().of_gateway(&id), Mishap::Cut);
    let own = client().get(format!("{}/harmony/changes/{id}", pair.proxy.url())).bearer_auth(&pair.token);
    assert!(own.send().await.is_err());
    assert_eq!(pair.list().send().await.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn a_body_passes_as_it_comes_and_a_control_plane_that_is_away_is_a_connection_that_is_cut() {
    let pair = pair().await;
    pair.cloud.fault(When::default().times(1), Fault::EndlessBody);
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
