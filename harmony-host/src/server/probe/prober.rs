//! The prober, which checks over its own listeners that the gateway serves a configuration.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderValue, Request, Response, StatusCode};
use provider_api::{Secret, UrlPath};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::http::authority::{KnownHost, authority, split_port};
use crate::http::body::Body;
use crate::http::claims::PROBE_HEADER;
use crate::http::connection_info::ConnectionInfo;
use crate::plan::route_table::RouteQuery;
use crate::server::probe::connection::Connection;
use crate::server::probe::request::{ProbeRequest, requests};
use crate::snapshot::{ListenerSpec, Snapshot};
use crate::storage::failpoints;

/// The deadline of a listener for all its probe requests.
const DEADLINE: Duration = Duration::from_secs(2);

/// The probe of the gateway over its own listeners. A configuration counts as live only after a request has proved it.
///
/// A probe request carries a random secret of this process. The gateway routes it like any other request, and responds
/// with the generation and the pipeline that it found. It verifies no token and calls no backend for it.
#[derive(Clone)]
pub(crate) struct Probe {
    secret: Secret,
}

impl Probe {
    /// Creates a probe with a new secret.
    pub(crate) fn new() -> Self {
        let mut bytes = [0; 16];
        // Without random numbers the secret stays empty, and an empty secret never matches: nothing new goes live.
        let secret = match aws_lc_rs::rand::fill(&mut bytes) {
            Ok(()) => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
            Err(_) => String::new(),
        };
        Self { secret: Secret::new(secret) }
    }

    /// Checks that every listener of `candidate` serves it, and that every route of the files that differ from
    /// `serving` leads to its pipeline. At the start `serving` is `None`; then it checks the listeners only. It probes
    /// the listeners concurrently.
    ///
    /// A listener that was open before and misses the deadline counts as alive but overloaded. The check of its routes
    /// then uses the route table alone, because load must not reject a good configuration.
    ///
    /// # Errors
    /// The first listener that does not respond, or the first route that leads to another pipeline.
    pub(crate) async fn check(
        &self,
        candidate: &Arc<Snapshot>,
        serving: Option<&Arc<Snapshot>>,
    ) -> Result<(), String> {
        failpoints::probe()?;
        let mut by_listener: BTreeMap<SocketAddr, Vec<ProbeRequest>> =
            candidate.listeners.keys().map(|address| (*address, vec![ProbeRequest::generation()])).collect();
        for (address, request) in serving.map(|serving| requests(candidate, serving)).unwrap_or_default() {
            by_listener.entry(address).or_default().push(request);
        }
        let mut checks = JoinSet::new();
        for (address, requests) in by_listener {
            let open_before = serving.is_some_and(|serving| serving.listeners.contains_key(&address));
            let (probe, candidate) = (self.clone(), Arc::clone(candidate));
            checks.spawn(
                async move { probe.check_listener(address, &candidate, &requests, open_before).await },
            );
        }
        while let Some(checked) = checks.join_next().await {
            checked.unwrap_or_else(|_| Err("the probe failed".to_owned()))?;
        }
        Ok(())
    }

    /// Checks one listener within the deadline.
    async fn check_listener(
        &self,
        address: SocketAddr,
        candidate: &Snapshot,
        requests: &[ProbeRequest],
        open_before: bool,
    ) -> Result<(), String> {
        let Some(spec) = candidate.listeners.get(&address) else { return Ok(()) };
        match timeout(DEADLINE, self.send(address, spec, candidate, requests)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(failure)) => Err(format!("the listener {address}: {failure}")),
            Err(_) if open_before => {
                tracing::warn!(%address, "the listener is too busy for a probe; checking its routes in the table");
                check_table(requests, spec, candidate)
            }
            Err(_) => Err(format!("the listener {address} does not respond within {} s", DEADLINE.as_secs())),
        }
    }

    /// Sends the requests to a cleartext listener. A TLS listener only has to accept a connection: its certificate was
    /// checked when the snapshot was built, and its routes are checked in the table.
    async fn send(
        &self,
        address: SocketAddr,
        spec: &ListenerSpec,
        candidate: &Snapshot,
        requests: &[ProbeRequest],
    ) -> Result<(), String> {
        let failed = |error: std::io::Error| format!("no response: {error}");
        let stream = tokio::net::TcpStream::connect(reachable(address)).await.map_err(failed)?;
        if spec.tls.is_some() {
            return check_table(requests, spec, candidate);
        }
        let mut connection = Connection::open(stream).await.map_err(failed)?;
        for request in requests {
            let result = connection.send(request, &self.secret).await.map_err(failed)?;
            request.check(candidate.generation, &result)?;
        }
        Ok(())
    }

    /// Returns the response to a probe request of this process; `None` for any other request.
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
        let authority =
            authority(request.version(), request.uri(), request.headers(), &KnownHost::default()).ok()?;
        let (host, port) = split_port(authority.to_str().ok()?)?;
        let (scheme, path) = (connection.scheme, request.uri().path());
        let normal = UrlPath::parse(path).ok()?;
        let query = RouteQuery { scheme, host, port: port.unwrap_or(scheme.default_port()), path: &normal };
        let table = snapshot.plans.tables.get(snapshot.network_of(connection));
        let matched = (path != "*").then(|| table?.find(&query).ok()?).flatten();
        let pipeline = matched.map_or("-", |matched| &*matched.route.pipeline.name);
        let mut response = Response::new(Body::Empty);
        *response.status_mut() = StatusCode::NO_CONTENT;
        let result = HeaderValue::from_str(&format!("{};{pipeline}", snapshot.generation)).ok()?;
        response.headers_mut().insert(PROBE_HEADER, result);
        Some(response)
    }
}

/// Checks probe requests against the route table, without a connection.
fn check_table(requests: &[ProbeRequest], spec: &ListenerSpec, snapshot: &Snapshot) -> Result<(), String> {
    let table = snapshot.plans.tables.get(&spec.network);
    requests.iter().try_for_each(|request| {
        let path = UrlPath::parse(&request.path).ok();
        let query = path.as_ref().and_then(|path| request.query(path));
        let matched = table.zip(query).and_then(|(table, query)| table.find(&query).ok()?);
        let pipeline = matched.map_or("-", |matched| &*matched.route.pipeline.name);
        request.check(snapshot.generation, &format!("{};{pipeline}", snapshot.generation))
    })
}

/// Returns the address for a connection from this machine to a listener on `address`: the loopback for a wildcard.
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
