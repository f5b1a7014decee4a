//! The list of pending changes: what it says, and when it says that nothing is new.

use std::sync::Arc;

use provider_api::{ChangeStatus, DocumentKind, ErrorKind, Pending, Provider};
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::gateway::{Gateway, change, source};
use crate::stand_in::{StandIn, list};

const LIST: &str = "changes/01GATEWAY";

/// A control plane whose list has an ETag, and a provider that has asked for it once.
async fn asked_once() -> (StandIn, Arc<dyn Provider>) {
    let cloud = StandIn::answering(tagged).await;
    let provider = Gateway::authorized().provider(&cloud.url());
    assert_eq!(ids(source(&provider).pending().await.unwrap()), ["01A"]);
    (cloud, provider)
}

fn tagged(asked: &crate::stand_in::Asked) -> Option<Answer> {
    asked.is_for(LIST).then(|| match asked.etag.as_deref() {
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
async fn changes_come_oldest_first_over_all_pages_and_one_that_moved_down_comes_once() {
    let cloud = StandIn::answering(|asked| {
        asked.is_for(LIST).then(|| {
            let (page, next) = match asked.what.split("page=").nth(1) {
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
    // The tag of one page says nothing about the others.
    assert!(cloud.asked().iter().all(|asked| asked.etag.is_none()), "{:?}", cloud.asked());
}

#[tokio::test]
async fn a_list_that_is_known_is_unchanged_which_is_not_an_empty_list() {
    let (cloud, provider) = asked_once().await;
    for _ in 0..3 {
        assert_eq!(source(&provider).pending().await.unwrap(), Pending::Unchanged);
    }
    assert_eq!(cloud.asked_for(LIST).last().unwrap().etag.as_deref(), Some("\"v1\""));
    cloud.answer_instead(|asked| asked.is_for(LIST).then(|| Answer::json(&list(&[]))));
    for _ in 0..2 {
        assert_eq!(source(&provider).pending().await.unwrap(), Pending::Changes(Vec::new()));
    }
    assert_eq!(cloud.asked_for(LIST).last().unwrap().etag, None, "a list without a tag has none");
}

#[tokio::test]
async fn what_could_not_be_fetched_or_reported_is_listed_again() {
    for reported in [false, true] {
        let (_cloud, provider) = asked_once().await;
        let (source, id) = (source(&provider), change("01A"));
        assert_eq!(source.pending().await.unwrap(), Pending::Unchanged);
        // The stand-in knows neither the change nor its reports.
        match reported {
            true => source.report(&id, &ChangeStatus::Received).await.unwrap_err(),
            false => source.fetch(&id).await.unwrap_err(),
        };
        assert_eq!(ids(source.pending().await.unwrap()), ["01A"]);
    }
}

#[tokio::test]
async fn a_list_that_failed_is_asked_for_anew() {
    let (cloud, provider) = asked_once().await;
    for failure in [Answer::status as fn(u16, &Value) -> Answer, |_, _| Answer::json(&json!({ "data": 7 }))] {
        cloud.answer_instead(move |asked| asked.is_for(LIST).then(|| failure(503, &json!({}))));
        assert_eq!(source(&provider).pending().await.unwrap_err().kind(), ErrorKind::Unavailable);
        cloud.answer_instead(tagged);
        assert_eq!(ids(source(&provider).pending().await.unwrap()), ["01A"]);
        assert_eq!(source(&provider).pending().await.unwrap(), Pending::Unchanged);
    }
}

#[tokio::test]
async fn a_list_that_nobody_waited_for_is_asked_for_anew() {
    let (cloud, provider) = asked_once().await;
    cloud.answer_instead(|_| Some(Answer::Silence));
    let before = cloud.asked().len();
    tokio::select! {
        _ = source(&provider).pending() => panic!("silence"),
        () = cloud.reached_more_than(before) => {}
    }
    cloud.answer_instead(tagged);
    assert_eq!(ids(source(&provider).pending().await.unwrap()), ["01A"]);
}

#[tokio::test]
async fn a_new_configuration_reads_the_list_whole() {
    let cloud = StandIn::answering(tagged).await;
    let gateway = Gateway::authorized();
    for _ in 0..2 {
        assert_eq!(ids(source(&gateway.provider(&cloud.url())).pending().await.unwrap()), ["01A"]);
    }
}

#[tokio::test]
async fn what_is_no_list_is_neither_unchanged_nor_empty() {
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
        assert!(error.to_string().contains("no JSON"), "{error}");
    }
    for status in [204, 205, 304] {
        let cloud = StandIn::with(LIST, move || Answer::empty(status)).await;
        let error = source(&Gateway::authorized().provider(&cloud.url())).pending().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{status}: {error}");
    }
}
