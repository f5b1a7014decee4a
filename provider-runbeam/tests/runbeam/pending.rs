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

/// An entry that is no change is named, and the changes beside it are taken: before, after and between such entries.
#[tokio::test]
async fn bad_entries_leave_the_others() {
    let with = |field: &str, value: Value| {
        let mut entry = json!({ "id": "01X", "type": "mesh", "gateway_id": "01GATEWAY" });
        match value {
            Value::String(text) if text == "MISSING" => drop(entry.as_object_mut().unwrap().remove(field)),
            value => entry[field] = value,
        }
        entry
    };
    let long = json!("x".repeat(10_000));
    let mut bad = vec![json!(null), json!(7), json!("01X"), json!([]), json!({}), json!(true)];
    for value in [
        json!("MISSING"),
        json!(null),
        json!(7.5),
        json!([7]),
        json!({}),
        json!(""),
        json!(" "),
        json!("../x"),
        json!("a\u{1b}[2J"),
        long.clone(),
    ] {
        bad.push(with("id", value));
    }
    for value in [
        json!("MISSING"),
        json!(null),
        json!(7),
        json!([]),
        json!({}),
        json!(""),
        json!(" "),
        json!("a\nb"),
        long,
    ] {
        bad.push(with("type", value));
    }
    for value in [json!([]), json!({}), json!(true), json!(["01GATEWAY"])] {
        bad.push(with("gateway_id", value));
    }
    for entry in bad {
        let shown = entry.to_string();
        let cloud = StandIn::answering(move |request| {
            let change = |id: &str| json!({ "id": id, "type": "mesh" });
            let data =
                json!([entry, change("01C"), entry, change("01B"), { "id": 7, "type": "mesh" }, entry]);
            request.is_for(LIST).then(|| Answer::json(&json!({ "data": data })))
        })
        .await;
        let provider = Gateway::authorized().provider(&cloud.url());
        let listed = ids(source(&provider).pending().await.expect(&shown));
        assert_eq!(listed, ["7", "01B", "01C"], "{shown}");
        let problem = source(&provider).problem().expect(&shown);
        assert!(
            problem.contains("3 entries that are no changes") && problem.contains("entry 1"),
            "{problem}"
        );
        assert!(!problem.contains(char::is_control) && problem.len() < 1_000, "{problem}");
        cloud.respond_with(|request| request.is_for(LIST).then(|| Answer::json(&list(&["01C"]))));
        assert_eq!(ids(source(&provider).pending().await.unwrap()), ["01C"]);
        assert_eq!(source(&provider).problem(), None, "{shown}");
    }
}

/// A problem stays named while the list is unchanged.
#[tokio::test]
async fn bad_entry_of_an_unchanged_list_stays_named() {
    let cloud = StandIn::answering(|request| {
        request.is_for(LIST).then(|| match request.etag.as_deref() {
            Some("\"v1\"") => Answer::not_modified().with("etag", "\"v1\""),
            _ => Answer::json(&json!({ "data": [{ "id": "01A" }, { "id": "01B", "type": "mesh" }] }))
                .with("etag", "\"v1\""),
        })
    })
    .await;
    let provider = Gateway::authorized().provider(&cloud.url());
    assert_eq!(ids(source(&provider).pending().await.unwrap()), ["01B"]);
    assert_eq!(source(&provider).pending().await.unwrap(), Pending::Unchanged);
    assert!(source(&provider).problem().is_some_and(|problem| problem.contains("`01A`")));
}

/// Links that frameworks write when there is no further page.
#[tokio::test]
async fn absent_links_end_the_list() {
    for links in [
        json!(null),
        json!([]),
        json!({}),
        json!({ "next": null }),
        json!({ "next": false }),
        json!({ "next": " " }),
    ] {
        let shown = links.to_string();
        let cloud = StandIn::answering(move |request| {
            let body = json!({ "data": [{ "id": "01A", "type": "mesh" }], "links": links });
            request.is_for(LIST).then(|| Answer::json(&body))
        })
        .await;
        let provider = Gateway::authorized().provider(&cloud.url());
        assert_eq!(ids(source(&provider).pending().await.expect(&shown)), ["01A"]);
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
        "{\"data\":[{\"id\":\"01A\"}]}",
        "{\"data\":7}",
        "{\"data\":{}}",
        "{\"data\":[],\"links\":7}",
        "{\"data\":[],\"links\":[\"/harmony/changes/01GATEWAY?page=2\"]}",
        "{\"data\":[],\"links\":{\"next\":7}}",
        "{\"data\":[],\"links\":{\"next\":[\"/harmony/changes/01GATEWAY?page=2\"]}}",
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
