//! A control plane that answers too slowly, too much or without an end.

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

/// What comes of a call whose request has arrived, on a clock that runs as fast as nothing happens. Who has
/// no deadline of their own hangs for an hour of it.
async fn on_a_fast_clock(
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

/// Every call ends in time when the control plane does `answer` to it, and to the discovery before it if it
/// `everywhere` does.
async fn ends_in_time(everywhere: bool, answer: fn() -> Answer) {
    for name in ALL {
        let cloud =
            StandIn::answering(move |asked| (everywhere || !asked.is_for("base-url")).then(answer)).await;
        let last = match (name, everywhere) {
            ("verify", _) => "jwks.json",
            (_, true) => "base-url",
            _ => "",
        };
        let arrived = async {
            match last {
                "" => cloud.reached_but("base-url").await,
                path => cloud.reached(path).await,
            }
        };
        let provider = Gateway::authorized().provider(&cloud.url());
        let (outcome, took) = on_a_fast_clock(provider, name, arrived).await;
        let error = outcome.expect_err(name);
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{name}: {error}");
        assert!(error.to_string().contains("did not answer in time"), "{name}: {error}");
        assert!(took <= Duration::from_secs(40), "{name}: {took:?}");
    }
}

#[tokio::test]
async fn a_control_plane_that_is_silent_is_not_waited_for() {
    ends_in_time(false, || Answer::Silence).await;
}

#[tokio::test]
async fn nor_one_that_is_silent_when_it_is_asked_where_the_api_is() {
    ends_in_time(true, || Answer::Silence).await;
}

#[tokio::test]
async fn an_answer_that_stops_in_the_middle_is_not_waited_for() {
    ends_in_time(false, Answer::stalled).await;
}

#[tokio::test]
async fn an_answer_that_trickles_ends_all_the_same() {
    ends_in_time(false, Answer::trickle).await;
}

#[tokio::test]
async fn a_handshake_that_is_not_answered_is_not_waited_for() {
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
    let (outcome, took) = on_a_fast_clock(provider, "pending", async { accepted.await.unwrap() }).await;
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Unavailable);
    assert!(took <= Duration::from_secs(10), "{took:?}");
    holding.abort();
}

#[tokio::test]
async fn an_endless_answer_is_cut_off_whatever_its_status() {
    for (status, said) in [(200, "bytes"), (500, "500")] {
        let cloud =
            StandIn::answering(move |asked| (!asked.is_for("base-url")).then(|| Answer::endless(status)))
                .await;
        let provider = Gateway::authorized().provider(&cloud.url());
        for name in ALL {
            let error = call(&provider, name).await.expect_err(name);
            assert!(error.to_string().contains(said), "{name} {status}: {error}");
        }
    }
    let cloud = StandIn::with("base-url", || Answer::endless(200)).await;
    let error = source(&Gateway::authorized().provider(&cloud.url())).pending().await.unwrap_err();
    assert!(error.to_string().contains("more than"), "{error}");
}

#[tokio::test]
async fn a_list_that_goes_round_in_circles_is_given_up() {
    let cloud = StandIn::with("changes/01GATEWAY", || {
        let mut page = list(&["01A"]);
        page["links"] = json!({ "next": "?page=2" });
        Answer::json(&page)
    })
    .await;
    let error = source(&Gateway::authorized().provider(&cloud.url())).pending().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains("pages"), "{error}");
    assert_eq!(cloud.asked_for("changes/01GATEWAY").len(), 100);
}

#[tokio::test]
async fn a_list_of_more_changes_than_any_gateway_has_is_refused() {
    let ids: Vec<String> = (0..10_001).map(|n| format!("01C{n}")).collect();
    let page = list(&ids.iter().map(String::as_str).collect::<Vec<_>>());
    let cloud = StandIn::with("changes/01GATEWAY", move || Answer::json(&page)).await;
    let error = source(&Gateway::authorized().provider(&cloud.url())).pending().await.unwrap_err();
    assert!(error.to_string().contains("10000"), "{error}");
}
