//! The entry of the data plane: checks and admits a request, then hands it to its backend.

use http::{Method, Request, Response};
use provider_api::UrlPath;

use crate::http::authority::{authority, check_target};
use crate::http::body::Body;
use crate::http::connection_info::ConnectionInfo;
use crate::http::limits::MAX_HEADERS;
use crate::http::query::escaped;
use crate::http::upload::Upload;
use crate::metrics::{Record, Traffic};
use crate::plan::{Route, Upstream};
use crate::proxy::connector::MakeWay;
use crate::proxy::error::{self, ProxyError};
use crate::proxy::exchange::Exchange;
use crate::proxy::pool::Pool;
use crate::proxy::refused::Refused;
use crate::proxy::upgrade::Tunnels;
use crate::proxy::{echo, forward, headers};
use crate::snapshot::{AdmissionError, RequestHead, Snapshot};

/// The data plane. It outlives snapshots, and so do its connections to backends.
#[derive(Debug)]
pub(crate) struct Proxy {
    pool: Pool,
    tunnels: Tunnels,
}

impl Proxy {
    /// Creates a data plane that opens at most `connections` connections to backends at a time, and calls
    /// `make_way` while it needs more.
    pub(crate) fn new(connections: usize, make_way: MakeWay) -> Self {
        Self { pool: Pool::new(connections, make_way), tunnels: Tunnels::new(connections) }
    }

    /// Serves a request from `connection`. All decisions use `snapshot`, even if another one is published meanwhile.
    pub(crate) async fn serve(
        &self,
        snapshot: &Snapshot,
        connection: &ConnectionInfo,
        request: &mut Request<Upload>,
        (traffic, record): (&Traffic, &mut Record),
    ) -> Response<Body> {
        let mut asked = Asked::default();
        match self.exchange(snapshot, connection, request, (&mut asked, record)).await {
            Ok(response) => response,
            Err(error) => {
                tracing::debug!(?error, network = &*connection.network, "request rejected");
                let path = asked.path.unwrap_or_else(|| request.uri().path().to_owned());
                let (reason, cause) = (error.reason(), error.cause());
                let line =
                    Refused { reason, network: &connection.network, path: &path, cause: cause.as_deref() };
                let pipeline = asked.route.map(|route| &*route.pipeline.traffic);
                line.note(pipeline, traffic, record);
                error::respond(&error, record.identity())
            }
        }
    }

    /// Checks, admits and forwards a request.
    async fn exchange<'s>(
        &self,
        snapshot: &'s Snapshot,
        connection: &'s ConnectionInfo,
        request: &mut Request<Upload>,
        (asked, record): (&mut Asked<'s>, &mut Record),
    ) -> Result<Response<Body>, ProxyError> {
        check(request)?;
        let (version, uri, headers) = (request.version(), request.uri(), request.headers());
        let authority = authority(version, uri, headers, &connection.host);
        let authority = authority.map_err(ProxyError::BadRequest)?;
        let head = RequestHead {
            network: snapshot.network_of(connection),
            scheme: connection.scheme,
            authority: authority.to_str().unwrap_or_default(),
            path: request.uri().path(),
            headers: request.headers(),
        };
        let network = head.network;
        let admitted = snapshot.admit_on_route(&head, &mut asked.route).await;
        if let Some(route) = asked.route {
            note_route(route, network, authority.to_str().unwrap_or_default(), record);
        }
        let admitted = match admitted {
            Err(AdmissionError::HttpsRequired(origin)) => return Err(redirect(&origin, request)),
            admitted => admitted?,
        };
        if admitted.mesh().is_some() {
            // The mesh token authenticates the sender to this gateway. A backend could replay it.
            request.headers_mut().remove(http::header::AUTHORIZATION);
        }
        let upstream = &admitted.route.pipeline.upstream;
        let exchange = Exchange { snapshot, connection, authority, admitted };
        let answered = match upstream {
            Upstream::Echo => {
                record.identity().put(request.headers_mut());
                Box::pin(echo::answer(&exchange, std::mem::take(request))).await
            }
            Upstream::Http(upstream) => {
                forward::forward(&self.pool, &self.tunnels, upstream, &exchange, request, record).await
            }
            Upstream::Application | Upstream::None => {
                Err(ProxyError::NotImplemented("a backend for this pipeline".to_owned()))
            }
        };
        if answered.is_err() {
            // The request may be taken by now.
            asked.path = Some(exchange.admitted.path());
        }
        answered
    }
}

/// The known parts of a request that is refused.
#[derive(Default)]
struct Asked<'s> {
    route: Option<&'s Route>,
    path: Option<String>,
}

/// Notes the route of a request, and the host that it is for.
fn note_route(route: &Route, network: &str, authority: &str, record: &mut Record) {
    record.route(route.traffic.iter().find(|traffic| *traffic.network == *network));
    record.describe_route(&route.pipeline.name, &route.endpoint, authority);
}

/// Returns the redirect of a request to the https origin.
fn redirect(origin: &str, request: &Request<Upload>) -> ProxyError {
    // Admission has found that the path has a normal form.
    let path = UrlPath::parse(request.uri().path()).map(|path| path.as_str().to_owned()).unwrap_or_default();
    let query = request.uri().query().map(|query| format!("?{}", escaped(query))).unwrap_or_default();
    // An empty path and one that starts with two slashes would make another URL of the origin.
    let path = path.trim_start_matches('/');
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    ProxyError::Redirect(format!("{origin}/{path}{query}"), is_read)
}

/// Rejects a request that a gateway never forwards, whatever its route, and makes one Content-Length of equal ones.
///
/// # Errors
/// The reason.
fn check(request: &mut Request<Upload>) -> Result<(), ProxyError> {
    if matches!(*request.method(), Method::CONNECT | Method::TRACE) {
        return Err(ProxyError::MethodNotAllowed);
    }
    if request.uri().path() == "*" {
        return Err(ProxyError::BadRequest("the gateway does not forward requests for `*`"));
    }
    check_target(request.uri()).map_err(ProxyError::BadRequest)?;
    // Over HTTP/1 the parser counts; over HTTP/2 nothing does.
    if request.headers().len() > MAX_HEADERS {
        return Err(ProxyError::TooManyHeaders);
    }
    if headers::merge_lengths(request.headers_mut()).is_err() {
        return Err(ProxyError::BadRequest("the request has no valid Content-Length, or more than one"));
    }
    // Transfer-Encoding is hop-by-hop: the backend would get a coded body without the header that names the coding.
    if !headers::is_plainly_framed(request.headers()) {
        return Err(ProxyError::NotImplemented("transfer codings other than chunked".to_owned()));
    }
    if headers::is_loop(request.headers()) {
        return Err(ProxyError::Loop);
    }
    Ok(())
}
