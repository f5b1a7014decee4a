//! Serving requests: route, check the mesh token, send on.

use std::net::SocketAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use http::header::HOST;
use http::{HeaderMap, Method, Request, Response, Uri};
use hyper::body::Incoming;
use provider_api::Provider;
use tokio::sync::watch;

use crate::http::body::Body;
use crate::http::url_prefix::Scheme;
use crate::management::Management;
use crate::plan::route_table::Asked;
use crate::plan::{Base, Outlet, Route};
use crate::proxy::backend_client::Upstream;
use crate::proxy::error::ProxyError;
use crate::proxy::headers::Peer;
use crate::proxy::{echo, error, forward, headers};
use crate::server::probe::Probe;
use crate::snapshot::Snapshot;
use crate::snapshot::admission::{self, MeshContext};

/// What serves requests: the current snapshot behind one atomic pointer, and what outlives snapshots.
#[derive(Debug)]
pub(crate) struct Gateway {
    pub(crate) snapshot: ArcSwap<Snapshot>,
    /// The primary provider of the current snapshot, for those who wait for another one.
    pub(crate) primary: watch::Sender<Option<Arc<dyn Provider>>>,
    pub(crate) upstream: Upstream,
    pub(crate) probe: Probe,
    pub(crate) management: Arc<Management>,
}

/// Where a request came in.
#[derive(Clone, Debug)]
pub(crate) struct Arrival {
    pub(crate) listener: SocketAddr,
    /// The network of the listener when the connection was made.
    pub(crate) network: Arc<str>,
    pub(crate) scheme: Scheme,
    pub(crate) peer: SocketAddr,
    /// The peer as the headers write it.
    pub(crate) written: Peer,
}

impl Arrival {
    /// The network that the listener belongs to now: it may have been renamed since the connection was made.
    pub(crate) fn network<'a>(&'a self, snapshot: &'a Snapshot) -> &'a Arc<str> {
        snapshot.listeners.get(&self.listener).map_or(&self.network, |spec| &spec.network)
    }
}

/// A request on its way, with what was found out about it.
pub(crate) struct Passage<'a> {
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) route: &'a Route,
    pub(crate) arrival: &'a Arrival,
    /// Host and port as the client wrote them.
    pub(crate) authority: String,
    /// The path as the client wrote it, without the prefix of the endpoint or ingress.
    pub(crate) rest: String,
    pub(crate) mesh: Option<MeshContext>,
}

impl Gateway {
    /// Answers one request. It sees one snapshot from its first byte to its last.
    pub(crate) async fn serve(&self, arrival: &Arrival, request: Request<Incoming>) -> Response<Body> {
        let snapshot = self.snapshot.load_full();
        if *request.method() == Method::OPTIONS
            && let Some(answer) = self.probed(&snapshot, arrival, &request)
        {
            return answer;
        }
        if let Some(access) = self.management.claims(&snapshot, arrival, request.uri().path()) {
            return self.management.answer(&snapshot, arrival, access, request).await;
        }
        match self.pass(&snapshot, arrival, request).await {
            Ok(response) => response,
            Err(refusal) => {
                tracing::debug!(?refusal, network = &*arrival.network, "request refused");
                error::respond(&refusal)
            }
        }
    }

    fn probed(
        &self,
        snapshot: &Snapshot,
        arrival: &Arrival,
        request: &Request<Incoming>,
    ) -> Option<Response<Body>> {
        let authority = authority(request.uri(), request.headers()).ok()?;
        let (host, port) = split_port(&authority)?;
        let (scheme, path) = (arrival.scheme, request.uri().path());
        let asked = Asked { scheme, host, port: port.unwrap_or(scheme.default_port()), path };
        let asked = (path != "*").then_some(&asked);
        self.probe.answer(snapshot, arrival, request.headers(), asked)
    }

    async fn pass(
        &self,
        snapshot: &Snapshot,
        arrival: &Arrival,
        mut request: Request<Incoming>,
    ) -> Result<Response<Body>, ProxyError> {
        if matches!(*request.method(), Method::CONNECT | Method::TRACE) {
            return Err(ProxyError::MethodNotAllowed);
        }
        if request.uri().path() == "*" {
            return Err(ProxyError::BadRequest("a request for the server as a whole is not forwarded"));
        }
        // A coding that is taken off the headers and left on the body would make it something else.
        if !headers::is_plainly_framed(request.headers()) {
            return Err(ProxyError::NotImplemented("transfer codings other than chunked".to_owned()));
        }
        if headers::is_loop(request.headers()) {
            return Err(ProxyError::Loop);
        }
        let table = snapshot.plans.tables.get(arrival.network(snapshot)).ok_or(ProxyError::Closing)?;
        let authority = authority(request.uri(), request.headers())?;
        let (host, port) =
            split_port(&authority).ok_or(ProxyError::BadRequest("the port of the host is no port"))?;
        let path = request.uri().path();
        let asked =
            Asked { scheme: arrival.scheme, host, port: port.unwrap_or(arrival.scheme.default_port()), path };
        let found = table
            .find(&asked)
            .map_err(|bad| ProxyError::BadRequest(bad.as_str()))?
            .ok_or(ProxyError::NoRoute)?;
        let route = found.route;
        if let Some(lacks) = &route.pipeline.unserved {
            return Err(ProxyError::NotImplemented(lacks.clone()));
        }
        // An ingress URL stands for its endpoint, so whichever prefix the client used comes off.
        let end = crate::http::path::strip(path, &route.endpoint_prefix).unwrap_or(found.end);
        let rest = path.get(end..).unwrap_or_default().to_owned();
        let prefix = path.get(..found.end).unwrap_or(path);
        let base = Base { scheme: arrival.scheme, authority: &authority, prefix };
        let mesh =
            admission::admit(&route.admission, &snapshot.providers, request.headers(), &base, path).await?;
        if mesh.is_some() {
            // It was meant for this gateway; the backend has no business with it.
            request.headers_mut().remove(http::header::AUTHORIZATION);
        }
        let passage = Passage { snapshot, route, arrival, rest, mesh, authority };
        match &route.pipeline.outlet {
            Outlet::Echo => echo::answer(&passage, request).await,
            Outlet::Forward(plan) => forward::forward(&self.upstream, plan, &passage, request).await,
            Outlet::Nowhere => Err(ProxyError::NotImplemented("a backend for this pipeline".to_owned())),
        }
    }
}

/// Host and port that the request is for (RFC 9110, section 7.2; RFC 9113, section 8.3.1).
fn authority(uri: &Uri, headers: &HeaderMap) -> Result<String, ProxyError> {
    const MISSING: ProxyError = ProxyError::BadRequest("the request names no host");
    if let Some(authority) = uri.authority() {
        return match authority.as_str().contains('@') {
            true => Err(ProxyError::BadRequest("the request names a user in its host")),
            false => Ok(authority.as_str().to_owned()),
        };
    }
    let mut hosts = headers.get_all(HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else { return Err(MISSING) };
    let host = host.to_str().map_err(|_| MISSING)?;
    let plain = |b: u8| {
        b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':' | b'[' | b']' | b'%' | b'~')
    };
    match !host.is_empty() && host.bytes().all(plain) {
        true => Ok(host.to_owned()),
        false => Err(ProxyError::BadRequest("the Host header is no host")),
    }
}

/// Splits `host:port`, `[v6]:port`, `host`. `None` when what stands for the port is none.
pub(crate) fn split_port(authority: &str) -> Option<(&str, Option<u16>)> {
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (authority, None),
    };
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    if host.contains(':') && bare.is_none() {
        return None;
    }
    match port {
        Some(port) if !port.bytes().all(|b| b.is_ascii_digit()) => None,
        // RFC 3986, section 3.2.3: an empty port is the scheme's own.
        Some("") | None => Some((host, None)),
        Some(port) => Some((host, Some(port.parse().ok()?))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_split_from_names_and_addresses() {
        assert_eq!(split_port("a.example:8080"), Some(("a.example", Some(8080))));
        assert_eq!(split_port("[::1]:80"), Some(("[::1]", Some(80))));
        assert_eq!(split_port("[::1]"), Some(("[::1]", None)));
        assert_eq!(split_port("a"), Some(("a", None)));
        assert_eq!(split_port("a:"), Some(("a", None)));
        for bad in ["a:http", "a:65536", "a:80:80", "a:+80", "::1"] {
            assert_eq!(split_port(bad), None, "{bad}");
        }
    }
}
