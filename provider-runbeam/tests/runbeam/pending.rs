//! The list of pending changes: order, pages, ETags, malformed responses.

use std::sync::Arc;

use provider_api::{ChangeStatus, DocumentKind, ErrorKind, Pending, Provider};
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::gateway::{Gateway, change, source};
use crate::stand_in::{StandIn, list};

const LIST: &str = "changes/01GATEWAY";

/// Starts a stand-in whose list has an ETag, and a provider that has read the list once.
async fn listed_once() -> (StandIn, Arc<dyn Provider>) {
    let cloud = StandIn::answering(tagged).await;
    let provider = Gateway::authorized().provider(&cloud.url());
    assert_eq!(ids(source(&provider).pending().await.unwrap()), ["01A"]);
    (cloud, provider)
}

fn tagged(request: &crate::stand_in::ReceivedRequest) -> Option<Answer> {
    request.is_for(LIST).then(|| match request.etag.as_deref() {
        Some("\"v1\"") => Answer::not_modified().with("etag", "\"v1\""),
        _ => Answer::json(&list(&["01A"])).with("etag", "\"v1\""),
    })
}

fn ids(pending: Pending) -> Vec<String> {
    match pending {
        Pending::Changes(heads) => heads.into_iter().map(|head| head.id.to_string()).collect(),
        Pending::Unchanged => panic!("unchanged"),
    }
}

#[tokio::test]
async fn pages_are_merged_oldest_first() {
    let cloud = StandIn::answering(|request| {
        request.is_for(LIST).then(|| {
            let (page, next) = match request.target.split("page=").nth(1) {
                None => (json!([{ "id": "01D", "type": "mesh", "created_at": "now" }, { "id": "01C", "type": "odd" }]), "?page=2"),
                Some("2") => (json!([{ "id": "01C", "type": "odd" }, { "id": "01B", "type": "gateway" }]), "/harmony/changes/01GATEWAY?page=3"),
                Some(_) => (json!([{ "id": "01A", "type": "pipeline" }]), ""),
            };
            Answer::json(&json!({ "data": page, "links": { "next": next } })).with("etag", "\"v1\"")
        })
    })
    .await;
    let provider = Gateway::authorized().provider(&cloud.url());
    for _ in 0..2 {
        let Pending::Changes(heads) = source(&provider).pending().await.unwrap() else { panic!("unchanged") };
        let kinds: Vec<_> = heads.iter().map(|head| (head.id.as_str(), head.kind.clone())).collect();
        let odd = DocumentKind::Unknown("odd".to_owned());
        assert_eq!(
            kinds,
            [
                ("01A", DocumentKind::Pipeline),
                ("01B", DocumentKind::Gateway),
                ("01C", odd),
                ("01D", DocumentKind::Mesh)
            ]
        );
    }
    // The ETag of one page says nothing about the other pages.
    assert!(cloud.requests().iter().all(|request| request.etag.is_none()), "{:?}", cloud.requests());
}

#[tokio::test]
async fn known_list_is_unchanged() {
    let (cloud, provider) = listed_once().await;
    for _ in 0..3 {
        assert_eq!(source(&provider).pending().await.unwrap(), Pending::Unchanged);
    }
    assert_eq!(cloud.requests_to(LIST).last().unwrap().etag.as_deref(), Some("\"v1\""));
    cloud.respond_with(|request| request.is_for(LIST).then(|| Answer::json(&list(&[]))));
    for _ in 0..2 {
        assert_eq!(source(&provider).pending().await.unwrap(), Pending::Changes(Vec::new()));
    }
    assert_eq!(cloud.requests_to(LIST).last().unwrap().etag, None, "the last list had no ETag");
}

#[tokio::test]
async fn failed_change_is_listed_again() {
    for reported in [false, true] {
        let (_cloud, provider) = listed_once().await;
        let (source, id) = (source(&provider), change("01A"));
        assert_eq!(source.pending().await.unwrap(), Pending::Unchanged);
        // The stand-in answers 404 to both requests.
        match reported {
            true => source.report(&id, &ChangeStatus::Received).await.unwrap_err(),
            false => source.fetch(&id).await.unwrap_err(),
        };
        assert_eq!(ids(source.pending().await.unwrap()), ["01A"]);
    }
}

#[tokio::test]
async fn failed_list_drops_the_etag() {
    let (cloud, provider) = listed_once().await;
    for failure in [Answer::status as fn(u16, &Value) -> Answer, |_, _| Answer::json(&json!({ "data": 7 }))] {
        cloud.respond_with(move |request| request.is_for(LIST).then(|| failure(503, &json!({}))));
        assert_eq!(source(&provider).pending().await.unwrap_err().kind(), ErrorKind::Unavailable);
        cloud.respond_with(tagged);
        assert_eq!(ids(source(&provider).pending().await.unwrap()), ["01A"]);
        assert_eq!(source(&provider).pending().await.unwrap(), Pending::Unchanged);
    }
}

#[tokio::test]
async fn cancelled_list_drops_the_etag() {
    let (cloud, provider) = listed_once().await;
    cloud.respond_with(|_| Some(Answer::Silence));
    let before = cloud.requests().len();
    tokio::select! {
        _ = source(&provider).pending() => panic!("silence"),
        () = cloud.wait_for_more_than(before) => {}
    }
    cloud.respond_with(tagged);
    assert_eq!(ids(source(&provider).pending().await.unwrap()), ["01A"]);
}

#[tokio::test]
async fn reload_drops_the_etag() {
    let cloud = StandIn::answering(tagged).await;
    let gateway = Gateway::authorized();
    for _ in 0..2 {
        assert_eq!(ids(source(&gateway.provider(&cloud.url())).pending().await.unwrap()), ["01A"]);
    }
}

#[tokio::test]
async fn malformed_list_is_unavailable() {
    let nested = format!("{}{}", "[".repeat(4000), "]".repeat(4000));
    let html = "<html>502</html>".to_owned();
    for body in [
        "",
        "null",
        "[]",
        "{}",
        "7",
        "\"data\"",
        "{\"data\":null}",
        "{\"data\":[null]}",
        "{\"data\":[{}]}",
        "{\"data\":[{\"id\":\"\",\"type\":\"mesh\"}]}",
        "{\"data\":[{\"id\":\"../x\",\"type\":\"mesh\"}]}",
        "{\"data\":[{\"id\":7,\"type\":\"mesh\"}]}",
        "{\"data\":[{\"id\":\"01A\"}]}",
        "{\"data\":[",
        &nested,
        &html,
    ] {
        let owned = body.to_owned();
        let cloud = StandIn::with(LIST, move || Answer::text(&owned, "application/json")).await;
        let error = source(&Gateway::authorized().provider(&cloud.url())).pending().await.expect_err(body);
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{body}: {error}");
    }
    let whole = list(&["01A"]).to_string();
    for kind in ["text/html", "", "application/jsonp"] {
        let whole = whole.clone();
        let cloud = StandIn::with(LIST, move || Answer::text(&whole, kind)).await;
        let error = source(&Gateway::authorized().provider(&cloud.url())).pending().await.expect_err(kind);
        assert!(error.to_string().contains("not with JSON"), "{error}");
    }
    for status in [204, 205, 304] {
        let cloud = StandIn::with(LIST, move || Answer::empty(status)).await;
        let error = source(&Gateway::authorized().provider(&cloud.url())).pending().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{status}: {error}");
    }
}
