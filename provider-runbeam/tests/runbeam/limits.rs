//! Limits: deadlines and sizes of responses.

use std::sync::Arc;
use std::time::Duration;

use provider_api::{ErrorKind, Provider, Result};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::time::Instant;

use crate::answer::Answer;
use crate::calls::{ALL, call};
use crate::gateway::{Gateway, source};
use crate::stand_in::{StandIn, list};

/// Makes a call and pauses tokio's clock once its request has arrived, so that the clock jumps to each deadline. Returns
/// the result and the duration on that clock. A call without a deadline runs into a timeout of one hour.
async fn call_on_paused_clock(
    provider: Arc<dyn Provider>,
    name: &'static str,
    arrived: impl Future<Output = ()>,
) -> (Result<()>, Duration) {
    let call = tokio::spawn(async move {
        let start = Instant::now();
        let outcome = tokio::time::timeout(Duration::from_secs(3600), call(&provider, name)).await;
        (outcome.expect("a deadline"), start.elapsed())
    });
    arrived.await;
    tokio::time::pause();
    let outcome = call.await.unwrap();
    tokio::time::resume();
    outcome
}

/// Checks that every call ends in time when the control plane responds with `answer`, to discovery as well if
/// `to_discovery` is set.
async fn ends_in_time(to_discovery: bool, answer: fn() -> Answer) {
    for name in ALL {
        let cloud =
            StandIn::answering(move |request| (to_discovery || !request.is_for("base-url")).then(answer))
                .await;
        let last = match (name, to_discovery) {
            ("verify", _) => "jwks.json",
            (_, true) => "base-url",
            _ => "",
        };
        let arrived = async {
            match last {
                "" => cloud.wait_for_other_than("base-url").await,
                path => cloud.wait_for(path).await,
            }
        };
        let provider = Gateway::authorized().provider(&cloud.url());
        let (outcome, took) = call_on_paused_clock(provider, name, arrived).await;
        let error = outcome.expect_err(name);
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{name}: {error}");
        let message = error.to_string();
        assert!(message.contains(&format!("the control plane at {}", cloud.url())), "{name}: {message}");
        assert!(message.contains("did not answer in time"), "{name}: {message}");
        assert!(took <= Duration::from_secs(40), "{name}: {took:?}");
    }
}

#[tokio::test]
async fn silent_server_times_out() {
    ends_in_time(false, || Answer::Silence).await;
}

#[tokio::test]
async fn silent_discovery_times_out() {
    ends_in_time(true, || Answer::Silence).await;
}

#[tokio::test]
async fn stalled_response_times_out() {
    ends_in_time(false, Answer::stalled).await;
}

#[tokio::test]
async fn trickling_response_times_out() {
    ends_in_time(false, Answer::trickle).await;
}

#[tokio::test]
async fn unanswered_handshake_times_out() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let (arrived, accepted) = tokio::sync::oneshot::channel();
    let holding = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        stream.readable().await.unwrap();
        arrived.send(()).unwrap();
        std::future::pending::<()>().await;
        drop(stream);
    });
    let provider = Gateway::authorized().provider(&format!("https://{address}"));
    let (outcome, took) = call_on_paused_clock(provider, "pending", async { accepted.await.unwrap() }).await;
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Unavailable);
    assert!(took <= Duration::from_secs(10), "{took:?}");
    holding.abort();
}

#[tokio::test]
async fn endless_response_is_cut_off() {
    for (status, message) in [(200, "more than"), (500, "500")] {
        let cloud =
            StandIn::answering(move |request| (!request.is_for("base-url")).then(|| Answer::endless(status)))
                .await;
        let provider = Gateway::authorized().provider(&cloud.url());
        for name in ALL {
            let error = call(&provider, name).await.expect_err(name);
            let error = error.to_string();
            assert!(error.contains(message) && error.contains(&cloud.url()), "{name} {status}: {error}");
        }
    }
    let cloud = StandIn::with("base-url", || Answer::endless(200)).await;
    let error = source(&Gateway::authorized().provider(&cloud.url())).pending().await.unwrap_err();
    assert!(error.to_string().contains("more than"), "{error}");
}

#[tokio::test]
async fn circular_list_is_limited() {
    let cloud = StandIn::with("changes/01GATEWAY", || {
        let mut page = list(&["01A"]);
        page["links"] = json!({ "next": "?page=2" });
        Answer::json(&page)
    })
    .await;
    let error = source(&Gateway::authorized().provider(&cloud.url())).pending().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains("pages"), "{error}");
    assert_eq!(cloud.requests_to("changes/01GATEWAY").len(), 100);
}

#[tokio::test]
async fn number_of_changes_is_limited() {
    let ids: Vec<String> = (0..10_001).map(|n| format!("01C{n}")).collect();
    let page = list(&ids.iter().map(String::as_str).collect::<Vec<_>>());
    let cloud = StandIn::with("changes/01GATEWAY", move || Answer::json(&page)).await;
    let error = source(&Gateway::authorized().provider(&cloud.url())).pending().await.unwrap_err();
    assert!(error.to_string().contains("10000"), "{error}");
}
