//! The well-behaved clients, and the operator who asks for the status.

use std::sync::Arc;
use std::time::Duration;

use harmony_tests::client;
use reqwest::{Client, RequestBuilder};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::findings::Findings;
use super::lag::Lag;

/// The time in which the management API has to answer.
const PROMPT: Duration = Duration::from_secs(1);

/// The time in which a well-behaved client gets a response.
const PATIENCE: Duration = Duration::from_secs(20);

/// The pause between two requests of a client.
const PAUSE: Duration = Duration::from_millis(50);

/// The kind of a client, and the maker of its requests.
type Sender = (&'static str, Box<dyn Fn() -> RequestBuilder + Send>);

/// The clients. Dropping them stops them.
#[derive(Debug)]
pub(super) struct Neighbours(#[expect(dead_code, reason = "dropping it stops the tasks")] JoinSet<()>);

impl Neighbours {
    /// Starts the clients of a gateway at `port`, and an operator at `admin`.
    pub(super) fn start(port: u16, admin: u16, findings: &Findings) -> Self {
        let mut tasks = JoinSet::new();
        let url = move |path: &str| format!("http://127.0.0.1:{port}{path}");
        let http2 = || {
            Client::builder().tls_certs_only([]).no_proxy().http2_prior_knowledge().build().expect("a client")
        };
        let (reused, over_http2, uploading) = (client(), http2(), client());
        let body = "x".repeat(64 * 1024);
        let (echo, backend) = (url("/steady"), url("/backend"));
        let all: Vec<Sender> = vec![
            (
                "kept",
                Box::new({
                    let url = echo.clone();
                    move || reused.get(&url)
                }),
            ),
            (
                "new",
                Box::new({
                    let url = backend.clone();
                    move || client().get(&url)
                }),
            ),
            (
                "http2",
                Box::new({
                    let url = backend.clone();
                    move || over_http2.get(&url)
                }),
            ),
            ("upload", Box::new(move || uploading.post(&backend).body(body.clone()))),
        ];
        for (kind, request) in all {
            tasks.spawn(request_all_the_time(kind, request, findings.clone()));
        }
        tasks.spawn(ask_for_the_status(format!("http://127.0.0.1:{admin}/admin/provider"), findings.clone()));
        Self(tasks)
    }
}

async fn request_all_the_time(
    kind: &'static str,
    request: Box<dyn Fn() -> RequestBuilder + Send>,
    findings: Findings,
) {
    loop {
        let (start, request) = (Instant::now(), request().timeout(PATIENCE));
        let result = async { request.send().await?.error_for_status()?.bytes().await };
        match result.await {
            Ok(_) => findings.answered(kind, start.elapsed()),
            Err(error) => {
                let after = start.elapsed().as_millis();
                findings.violation(
                    "a request of a well-behaved client failed",
                    format!("{kind}, after {after} ms: {error:?}"),
                );
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Asks for the status four times a second, each time on a connection of its own.
async fn ask_for_the_status(url: String, findings: Findings) {
    let lag = Arc::new(Lag::start());
    let mut ticks = interval(PROMPT / 4);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        ticks.tick().await;
        let (start, late) = (Instant::now(), lag.total());
        let answer =
            async { client().get(&url).timeout(PATIENCE).send().await?.error_for_status()?.bytes().await };
        let answer = answer.await;
        let took = start.elapsed();
        match answer {
            Ok(_) => findings.answered("management", took),
            Err(error) => {
                findings.violation("the management API failed", format!("after {took:?}: {error:?}"))
            }
        }
        let own = took.saturating_sub(lag.total() - late);
        if own > PROMPT {
            findings.violation("the management API took longer than 1 s", format!("{own:?}"));
        }
    }
}
