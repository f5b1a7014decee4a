//! The ids of requests: taken from clients or made, sent to backends, told to clients, and logged.

use harmony_tests::site::{BASE, echo, forward};
use harmony_tests::{Raw, Upstream, client, free_port};
use http::Response;
use serde_json::Value;

use crate::observability::Observed;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

async fn observed(upstream: &Upstream) -> Observed {
    let dead = format!("http://127.0.0.1:{}", free_port());
    let sections =
        forward("up", "/up", &format!("http://{}", upstream.address())) + &forward("dead", "/dead", &dead);
    Observed::start(&format!("{BASE}{sections}{}", echo("echo", "/echo")), &[]).await
}

#[tokio::test]
async fn an_id_passes_from_the_client_to_the_backend_and_back() {
    // The backend answers with an id of its own.
    let upstream = Upstream::with_handler(|_| async {
        Response::builder().header("x-request-id", "of-the-backend").body(harmony_tests::full("x")).unwrap()
    })
    .await;
    let observed = observed(&upstream).await;
    for (sent, is_kept) in [("my-id.1", true), ("not safe\"", false), ("", false)] {
        let response = client().get(observed.url("/up")).header("x-request-id", sent).send().await.unwrap();
        let told: Vec<_> = response.headers().get_all("x-request-id").iter().cloned().collect();
        let [told] = told.as_slice() else { panic!("{told:?}") };
        let arrived = upstream.last_request().headers;
        assert_eq!(arrived["x-request-id"], *told);
        assert_eq!(*told == sent, is_kept, "{sent} {told:?}");
        assert!(is_kept || told.len() == 32, "{told:?}");
    }
}

#[tokio::test]
async fn a_trace_goes_on_in_the_backend() {
    let upstream = Upstream::with_body("x").await;
    let observed = observed(&upstream).await;
    let sent = format!("00-{TRACE}-00f067aa0ba902b7-00");
    let request = client().get(observed.url("/up")).header("traceparent", &sent).header("tracestate", "a=1");
    request.send().await.unwrap();
    let arrived = upstream.last_request().headers;
    let parent = arrived["traceparent"].to_str().unwrap();
    assert!(
        parent.starts_with(&format!("00-{TRACE}-")) && parent.ends_with("-00") && *parent != sent,
        "{parent}"
    );
    assert_eq!(arrived["tracestate"], "a=1");
    let request =
        client().get(observed.url("/up")).header("traceparent", "00-nonsense").header("tracestate", "a=1");
    request.send().await.unwrap();
    let arrived = upstream.last_request().headers;
    let parent = arrived["traceparent"].to_str().unwrap();
    assert!(parent.len() == 55 && parent.ends_with("-01"), "{parent}");
    assert!(!arrived.contains_key("tracestate"), "its trace cannot be read");
}

/// A client cannot keep the id from the backend by calling it a header of its connection.
#[tokio::test]
async fn an_id_is_no_hop_by_hop_header() {
    let upstream = Upstream::with_body("x").await;
    let observed = observed(&upstream).await;
    let head =
        "GET /up HTTP/1.1\r\nHost: a\r\nX-Request-Id: mine\r\nConnection: close, x-request-id, traceparent";
    assert_eq!(Raw::send(observed.port, format!("{head}\r\n\r\n")).await.status(), 200);
    let arrived = upstream.last_request().headers;
    assert_eq!(arrived["x-request-id"], "mine");
    assert!(arrived.contains_key("traceparent"));
}

/// The id is in every error of the gateway: in its header, in its JSON, and in the log.
#[tokio::test]
async fn errors_have_the_id() {
    let upstream = Upstream::with_body("x").await;
    let observed = observed(&upstream).await;
    for (path, id) in [("/nothing", "id-of-nothing"), ("/dead", "id-of-dead")] {
        let response = client().get(observed.url(path)).header("x-request-id", id).send().await.unwrap();
        assert!(response.status().is_client_error() || response.status().is_server_error());
        assert_eq!(response.headers()["x-request-id"], id);
        let problem: Value = response.json().await.unwrap();
        assert_eq!(problem["request_id"], id, "{problem}");
        observed.gateway.wait_for_log(&format!("request_id=\"{id}\"")).await;
    }
    let url = format!("http://127.0.0.1:{}/admin/nothing", observed.admin);
    let response = client().get(url).header("x-request-id", "of-an-operator").send().await.unwrap();
    assert_eq!(response.headers()["x-request-id"], "of-an-operator");
}
