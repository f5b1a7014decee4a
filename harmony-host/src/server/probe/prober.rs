//! Asking the listeners what they serve.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderValue, Request, Response, StatusCode};
use provider_api::Secret;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::http::authority::{authority, split_port};
use crate::http::body::Body;
use crate::http::connection_info::ConnectionInfo;
use crate::plan::route_table::RouteQuery;
use crate::proxy::headers::PROBE_HEADER;
use crate::server::probe::exchange;
use crate::server::probe::question::{Question, questions};
use crate::snapshot::{ListenerSpec, Snapshot};
use crate::storage::failpoints;

/// The time that a listener gets to answer its questions.
const LIMIT: Duration = Duration::from_secs(2);

/// Asks the gateway over its own listeners: live means that a request shows it.
///
/// A question is a request with a secret that this process made up. It is routed like any other and answered with the
/// generation and the pipeline it would go to, before any token is verified and any backend is asked.
#[derive(Clone)]
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

    /// Checks that every listener of `candidate` answers from it, and that every route of the files that differ from
    /// `serving` leads to its pipeline. At the start, with nothing served before, the listeners are asked and the routes
    /// are not. The listeners are asked side by side.
    ///
    /// A listener that was open before and is too busy to answer in time is taken to be alive, and its routes are looked
    /// up in the table.
    ///
    /// # Errors
    /// The first listener that does not answer, or the first route that leads elsewhere.
    pub(crate) async fn check(
        &self,
        candidate: &Arc<Snapshot>,
        serving: Option<&Arc<Snapshot>>,
    ) -> Result<(), String> {
        failpoints::probe()?;
        let mut by_listener: BTreeMap<SocketAddr, Vec<Question>> =
            candidate.listeners.keys().map(|address| (*address, vec![Question::whole()])).collect();
        for (address, question) in serving.map(|serving| questions(candidate, serving)).unwrap_or_default() {
            by_listener.entry(address).or_default().push(question);
        }
        let mut checks = JoinSet::new();
        for (address, questions) in by_listener {
            let open_before = serving.is_some_and(|serving| serving.listeners.contains_key(&address));
            let (probe, candidate) = (self.clone(), Arc::clone(candidate));
            checks.spawn(
                async move { probe.check_listener(address, &candidate, &questions, open_before).await },
            );
        }
        while let Some(checked) = checks.join_next().await {
            checked.unwrap_or_else(|_| Err("the probe failed".to_owned()))?;
        }
        Ok(())
    }

    async fn check_listener(
        &self,
        address: SocketAddr,
        candidate: &Snapshot,
        questions: &[Question],
        open_before: bool,
    ) -> Result<(), String> {
        let Some(spec) = candidate.listeners.get(&address) else { return Ok(()) };
        match timeout(LIMIT, self.ask(address, spec, candidate, questions)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(wrong)) => Err(format!("{address} is open and {wrong}")),
            Err(_) if open_before => {
                tracing::warn!(%address, "the listener is too busy to be asked");
                look_up(questions, spec, candidate)
            }
            Err(_) => Err(format!("{address} was bound and does not answer within {} s", LIMIT.as_secs())),
        }
    }

    /// Asks cleartext listeners over HTTP. Of a TLS listener it is shown that it accepts; its certificate was checked
    /// when it was built, and its routes are looked up in the table.
    async fn ask(
        &self,
        address: SocketAddr,
        spec: &ListenerSpec,
        candidate: &Snapshot,
        questions: &[Question],
    ) -> Result<(), String> {
        let failed = |error: std::io::Error| format!("does not answer: {error}");
        let stream = tokio::net::TcpStream::connect(reachable(address)).await.map_err(failed)?;
        if spec.tls.is_some() {
            return look_up(questions, spec, candidate);
        }
        let mut connection = exchange::Connection::open(stream).await.map_err(failed)?;
        for question in questions {
            let answer = connection.ask(question, &self.secret).await.map_err(failed)?;
            question.check(candidate.generation, &answer)?;
        }
        Ok(())
    }

    /// Answers a question of this gateway to itself; `None` for the request of anybody else.
    pub(crate) fn answer<B>(
        &self,
        snapshot: &Snapshot,
        connection: &ConnectionInfo,
        request: &Request<B>,
    ) -> Option<Response<Body>> {
        let given = request.headers().get(PROBE_HEADER)?.to_str().ok()?;
        if self.secret.is_empty() || !self.secret.matches(given) {
            return None;
        }
        let authority = authority(request.uri(), request.headers()).ok()?;
        let (host, port) = split_port(&authority)?;
        let (scheme, path) = (connection.scheme, request.uri().path());
        let query = RouteQuery { scheme, host, port: port.unwrap_or(scheme.default_port()), path };
        let table = snapshot.plans.tables.get(snapshot.network_of(connection));
        let found = (path != "*").then(|| table?.find(&query).ok()?).flatten();
        let pipeline = found.map_or("-", |found| &*found.route.pipeline.name);
        let mut response = Response::new(Body::Empty);
        *response.status_mut() = StatusCode::NO_CONTENT;
        let answer = HeaderValue::from_str(&format!("{};{pipeline}", snapshot.generation)).ok()?;
        response.headers_mut().insert(PROBE_HEADER, answer);
        Some(response)
    }
}

/// Answers questions from the route table.
fn look_up(questions: &[Question], spec: &ListenerSpec, snapshot: &Snapshot) -> Result<(), String> {
    let table = snapshot.plans.tables.get(&spec.network);
    questions.iter().try_for_each(|question| {
        let found = table.and_then(|table| table.find(&question.query()?).ok()?);
        let pipeline = found.map_or("-", |found| &*found.route.pipeline.name);
        question.check(snapshot.generation, &format!("{};{pipeline}", snapshot.generation))
    })
}

/// The address at which this machine reaches what listens on `address`.
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
