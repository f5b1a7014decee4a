//! The well-behaved clients of backends that misbehave: each sees what its own backend did, and nothing else.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use harmony_tests::client;
use reqwest::{Client, Method};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::findings::Findings;
use super::lag::Lag;
use super::rogue_backends::{Expected, Rogue, RogueBackends, TIMEOUT_SECONDS};
use super::rogue_http1::{Late, NUMBER};

/// The time after which a request counts as hanging.
const PATIENCE: Duration = Duration::from_secs(20);

/// The time in which a client of a silent backend gets a response from the gateway, delays of the machine apart. A body that is
/// read restarts the timeout.
const LIMIT: Duration = Duration::from_secs(2 * TIMEOUT_SECONDS + 4);

/// The time in which a backend notes a request that came too late.
const NOTING: Duration = Duration::from_secs(5);

/// The pause between two requests of a client.
const PAUSE: Duration = Duration::from_millis(50);

/// The body of a POST.
const SMALL: &str = "a small body";

/// The clients. Dropping them stops them.
#[derive(Debug)]
pub(super) struct BackendClients(#[expect(dead_code, reason = "dropping it stops the tasks")] JoinSet<()>);

impl BackendClients {
    /// Starts a client for GET and one for POST for each backend, behind a gateway at `port`.
    pub(super) fn start(port: u16, backends: &RogueBackends, findings: &Findings) -> Self {
        let (mut tasks, count, lag) = (JoinSet::new(), Arc::new(AtomicUsize::new(0)), Arc::new(Lag::start()));
        for rogue in &backends.all {
            for method in [Method::GET, Method::POST] {
                let backend_client = BackendClient {
                    client: client(),
                    url: format!("http://127.0.0.1:{port}/{}", rogue.name),
                    method,
                    rogue: rogue.clone(),
                    late: backends.late.clone(),
                    count: Arc::clone(&count),
                    lag: Arc::clone(&lag),
                    findings: findings.clone(),
                };
                tasks.spawn(async move {
                    loop {
                        backend_client.request().await;
                        sleep(PAUSE).await;
                    }
                });
            }
        }
        Self(tasks)
    }
}

struct BackendClient {
    client: Client,
    url: String,
    method: Method,
    rogue: Rogue,
    late: Late,
    /// The number of requests of all clients.
    count: Arc<AtomicUsize>,
    lag: Arc<Lag>,
    findings: Findings,
}

/// A response, as far as it came.
#[derive(Debug)]
enum Response {
    Whole(u16, String),
    BrokenOff(u16),
    Nothing(#[expect(dead_code, reason = "shown in a violation")] reqwest::Error),
}

impl BackendClient {
    /// Sends one request and judges its response.
    async fn request(&self) {
        let number = self.count.fetch_add(1, Ordering::Relaxed).to_string();
        let (start, lag) = (Instant::now(), self.lag.total());
        let response = self.response(&number).await;
        let took = start.elapsed();
        let (name, method) = (self.rogue.name, &self.method);
        if !self.is_expected(&response) {
            if self.is_late(&response, &number).await {
                self.findings.answered("too late for an idle connection", took);
                return;
            }
            let example = format!("{name}, {method}, after {} ms: {response:?}", took.as_millis());
            self.findings.violation("a client sees what its backend did not do", example);
            return;
        }
        self.findings.answered(name, took);
        let own = took.saturating_sub(self.lag.total() - lag);
        if own > LIMIT {
            let example = format!("{name}, {method}: {own:?}");
            self.findings.violation("a client of a silent backend waited too long", example);
        }
    }

    async fn response(&self, number: &str) -> Response {
        let mut request = self.client.request(self.method.clone(), &self.url).header(NUMBER, number);
        if self.method == Method::POST {
            request = request.body(SMALL);
        }
        match request.timeout(PATIENCE).send().await {
            Err(error) => Response::Nothing(error),
            Ok(response) => {
                let status = response.status().as_u16();
                match response.text().await {
                    Ok(body) => Response::Whole(status, body),
                    // The rest of a response did not come in time: that is a client that hangs.
                    Err(error) if error.is_timeout() => Response::Nothing(error),
                    Err(_) => Response::BrokenOff(status),
                }
            }
        }
    }

    fn is_expected(&self, response: &Response) -> bool {
        match (self.rogue.expected, response) {
            (Expected::Answers(expected), Response::Whole(200, body)) => body == expected,
            (Expected::Both, Response::Whole(200, body)) => body.is_empty(),
            (Expected::Failures | Expected::Both, Response::Whole(502 | 504, _)) => true,
            (Expected::Failures, Response::BrokenOff(200)) => true,
            _ => false,
        }
    }

    /// Returns whether a POST failed because its backend had just closed the connection. The gateway cannot tell that from a
    /// backend which has processed it, and must not send it again (RFC 9110, section 9.2.2).
    async fn is_late(&self, response: &Response, number: &str) -> bool {
        if self.method != Method::POST || !matches!(response, Response::Whole(502, _)) {
            return false;
        }
        let end = Instant::now() + NOTING;
        while !self.late.has(number) && Instant::now() < end {
            sleep(PAUSE).await;
        }
        self.late.has(number)
    }
}
