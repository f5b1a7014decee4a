//! Whether what was published is what requests get.

mod exchange;
mod question;

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use http::{HeaderMap, HeaderValue, Response, StatusCode};
use provider_api::Secret;

use crate::http::body::Body;
use crate::plan::route_table::Asked;
use crate::proxy::exchange::Arrival;
use crate::snapshot::{ListenerSpec, Snapshot};
use crate::storage::failpoints;
use question::{Question, questions};

/// The header that marks a question of the gateway to itself, and the answer to it.
pub(crate) const HEADER: &str = "x-harmony-probe";

/// How long a listener may take to answer one question.
const LIMIT: Duration = Duration::from_secs(2);

/// Asks the gateway over its own listeners: live means that a request shows it.
///
/// A question is a request with a secret that this process made up. It is routed like any other and answered with the
/// generation and the pipeline it would go to, before any token is looked at and any backend is asked.
pub(crate) struct Probe {
    secret: Secret,
}

impl Probe {
    pub(crate) fn new() -> Self {
        let mut bytes = [0; 16];
        // Without random numbers no question is recognised: then nothing new goes live.
        let secret = match aws_lc_rs::rand::fill(&mut bytes) {
            Ok(()) => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
            Err(_) => String::new(),
        };
        Self { secret: Secret::new(secret) }
    }

    /// Whether every listener of `snapshot` answers from it, and every route of the files that differ from `before`
    /// leads to the pipeline they say. A listener that was open before and is too busy to answer in time is believed
    /// to be alive; where its routes lead is then looked up.
    ///
    /// # Errors
    /// The first listener that does not answer, or the first route that leads elsewhere.
    pub(crate) async fn look(&self, snapshot: &Snapshot, before: &Snapshot) -> Result<(), String> {
        failpoints::probe()?;
        let mut asked: BTreeMap<SocketAddr, Vec<Question>> =
            snapshot.listeners.keys().map(|address| (*address, vec![Question::whole()])).collect();
        for (address, question) in questions(snapshot, before) {
            asked.entry(address).or_default().push(question);
        }
        for (address, questions) in asked {
            let Some(spec) = snapshot.listeners.get(&address) else { continue };
            let answered = tokio::time::timeout(LIMIT, self.ask(address, spec, snapshot, &questions)).await;
            let old = before.listeners.contains_key(&address);
            match answered {
                Ok(Ok(())) => {}
                Ok(Err(wrong)) => return Err(format!("{address} is open and {wrong}")),
                Err(_) if old => {
                    tracing::warn!(%address, "the listener is too busy to be asked");
                    look_up(&questions, spec, snapshot)?;
                }
                Err(_) => {
                    return Err(format!(
                        "{address} was bound and does not answer within {} s",
                        LIMIT.as_secs()
                    ));
                }
            }
        }
        Ok(())
    }

    /// Cleartext listeners are asked over HTTP. Of a TLS listener it is known that it accepts, and its certificate was
    /// checked when it was built; where its routes lead is looked up.
    async fn ask(
        &self,
        address: SocketAddr,
        spec: &ListenerSpec,
        snapshot: &Snapshot,
        questions: &[Question],
    ) -> Result<(), String> {
        let failed = |error: std::io::Error| format!("does not answer: {error}");
        let stream = tokio::net::TcpStream::connect(reachable(address)).await.map_err(failed)?;
        if spec.tls.is_some() {
            return look_up(questions, spec, snapshot);
        }
        let mut stream = tokio::io::BufReader::new(stream);
        for question in questions {
            let answer = exchange::ask(&mut stream, question, &self.secret).await.map_err(failed)?;
            question.check(snapshot.generation, &answer)?;
        }
        Ok(())
    }

    /// The answer to a question of this gateway to itself; `None` for everybody else's requests.
    pub(crate) fn answer(
        &self,
        snapshot: &Snapshot,
        arrival: &Arrival,
        headers: &HeaderMap,
        asked: Option<&Asked<'_>>,
    ) -> Option<Response<Body>> {
        let given = headers.get(HEADER)?.to_str().ok()?;
        if self.secret.is_empty() || !self.secret.matches(given) {
            return None;
        }
        let table = snapshot.plans.tables.get(arrival.network(snapshot));
        let found = asked.and_then(|asked| table?.find(asked).ok()?);
        let pipeline = found.map_or("-", |found| &*found.route.pipeline.name);
        let mut response = Response::new(Body::from(String::new()));
        *response.status_mut() = StatusCode::NO_CONTENT;
        let answer = HeaderValue::from_str(&format!("{};{pipeline}", snapshot.generation)).ok()?;
        response.headers_mut().insert(HEADER, answer);
        Some(response)
    }
}

fn look_up(questions: &[Question], spec: &ListenerSpec, snapshot: &Snapshot) -> Result<(), String> {
    let table = snapshot.plans.tables.get(&spec.network);
    questions.iter().try_for_each(|question| {
        let found = table.and_then(|table| table.find(&question.asked()?).ok()?);
        let pipeline = found.map_or("-", |found| &*found.route.pipeline.name);
        question.check(snapshot.generation, &format!("{};{pipeline}", snapshot.generation))
    })
}

/// Where this machine reaches what listens on `address`.
pub(crate) fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

impl fmt::Debug for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Probe").finish_non_exhaustive()
    }
}
