//! Admission: the rules that decide which requests may pass. No other file decides that.

use std::fmt;
use std::sync::Arc;

use http::header::AUTHORIZATION;
use http::{HeaderMap, StatusCode};
use provider_api::{Error, ErrorKind, InvalidPath, UrlPath};

use crate::http::authority::split_port;
use crate::http::path;
use crate::http::url_prefix::Scheme;
use crate::metrics::Reason;
use crate::plan::route_table::RouteQuery;
use crate::plan::{Accepted, Admission, MeshPlan, Moment, NotSent, Route, Sender};
use crate::providers::Providers;
use crate::snapshot::Snapshot;

/// The parts of a request that routing and admission depend on.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct RequestHead<'a> {
    /// The network of the listener that the request came in on.
    pub network: &'a str,
    /// `Https` when the connection is TLS.
    pub scheme: Scheme,
    /// Host and port as the client sent them: the Host header or `:authority`.
    pub authority: &'a str,
    /// The path as the client sent it, without the query. Admission, and [`Admitted::rest`], use its
    /// [normal form](UrlPath); a path that has none, or that servers read as paths of two routes, is a bad request.
    pub path: &'a str,
    /// The headers.
    pub headers: &'a HeaderMap,
}

impl<'a> RequestHead<'a> {
    /// Collects the parts; see the fields for each.
    pub fn new(
        network: &'a str,
        scheme: Scheme,
        authority: &'a str,
        path: &'a str,
        headers: &'a HeaderMap,
    ) -> Self {
        Self { network, scheme, authority, path, headers }
    }
}

/// A request that may pass, with the route it takes.
#[derive(Clone, Debug)]
pub struct Admitted<'s> {
    pub(crate) route: &'s Route,
    pub(crate) rest: String,
    /// The prefix of the path that `rest` does not have: empty, or it starts with `/`.
    pub(crate) taken: String,
    pub(crate) mesh: Option<MeshContext<'s>>,
}

/// The mesh that a request came in from.
#[derive(Clone, Debug)]
pub struct MeshContext<'s> {
    mesh: &'s MeshPlan,
    sender: Sender,
}

/// The reason for which a request may not pass.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum AdmissionError {
    /// The request is malformed: 400.
    BadRequest(&'static str),
    /// The network takes no cleartext requests: redirect to this origin, such as `https://api.example.com`, with the path and
    /// the query of the request. 308; 301 for GET and HEAD, which older clients know.
    HttpsRequired(String),
    /// The network takes no cleartext requests, and the host of the request is not one that this gateway serves: 421.
    Misdirected,
    /// The configuration no longer has the network: 503.
    UnknownNetwork,
    /// No ingress and no endpoint matches: 404.
    NoRoute,
    /// The endpoint is closed, since its peer is disabled: 503.
    Closed(Arc<str>),
    /// The pipeline names something that is not served: 501.
    NotServed(String),
    /// The route, the egress it leaves through or its destination needs mesh context and the request has none: 403.
    NoMeshContext(MeshDenial),
    /// A provider failed. Authorization fails closed.
    Provider(Arc<Error>),
}

/// The reason why a request has no mesh context where it needs one.
#[derive(Clone, Debug)]
pub struct MeshDenial {
    /// The rule of the route, as the beginning of the message; empty where the cause says it.
    rule: &'static str,
    cause: String,
    reason: Reason,
}

impl MeshDenial {
    /// Creates the denial of a request that may not leave through an egress.
    pub(crate) fn of_egress(message: String) -> Self {
        Self { rule: "", cause: message, reason: Reason::EgressDenied }
    }

    /// Returns what is wrong with the request.
    #[cfg(feature = "gateway")]
    pub(crate) fn cause(&self) -> &str {
        &self.cause
    }

    /// Returns the reason that the refusal is counted by.
    pub(crate) fn counted_as(&self) -> Reason {
        self.reason
    }
}

impl fmt::Display for MeshDenial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.rule, self.cause)
    }
}

impl Snapshot {
    /// Finds the route of a request and checks that the request may pass.
    ///
    /// The rules: no cleartext on a network with `force_https`; ingress URLs before endpoint paths; prefixes of whole path segments, the longest wins; mesh tokens for
    /// `mode = "mesh"` and `mesh_auth`, issued for an ingress URL of this gateway; 501 for a pipeline that names an unsupported feature, 503 for an endpoint whose peer is
    /// disabled.
    ///
    /// A request with a valid mesh token gets [mesh context](Admitted::mesh). Remove its Authorization header before
    /// forwarding it, since the token was issued for this gateway.
    ///
    /// Verified tokens are cached per route. Cancel safe.
    ///
    /// # Errors
    /// See [`AdmissionError`]; [`AdmissionError::status`] is the HTTP status of each.
    pub async fn admit(&self, request: &RequestHead<'_>) -> Result<Admitted<'_>, AdmissionError> {
        self.admit_on_route(request, &mut None).await
    }

    /// Admits a request as [`admit`](Self::admit) does, and tells its route also if it may not pass.
    pub(crate) async fn admit_on_route<'s>(
        &'s self,
        request: &RequestHead<'_>,
        on_route: &mut Option<&'s Route>,
    ) -> Result<Admitted<'s>, AdmissionError> {
        let RequestHead { scheme, authority, path, headers, network } = *request;
        let table = self.plans.tables.get(network).ok_or(AdmissionError::UnknownNetwork)?;
        let (host, port) = split_port(authority)
            .ok_or(AdmissionError::BadRequest("the host of the request is not `host` or `host:port`"))?;
        let path = UrlPath::parse(path).map_err(InvalidPath::as_str).map_err(AdmissionError::BadRequest)?;
        let query = RouteQuery { scheme, host, port: port.unwrap_or(scheme.default_port()), path: &path };
        if let Some(redirect) = self.redirects.get(network).filter(|_| scheme == Scheme::Http) {
            let origin = redirect.origin(authority);
            return Err(origin.map_or(AdmissionError::Misdirected, AdmissionError::HttpsRequired));
        }
        let found = table.find(&query).map_err(AdmissionError::BadRequest)?;
        let found = found.ok_or(AdmissionError::NoRoute)?;
        let route = found.route;
        *on_route = Some(route);
        if let Some(feature) = &route.pipeline.unserved {
            return Err(AdmissionError::NotServed(feature.clone()));
        }
        if let Some(reason) = &route.closed {
            return Err(AdmissionError::Closed(Arc::clone(reason)));
        }
        // An ingress URL is an alias of its endpoint: strip the endpoint's prefix, or else the ingress URL's path.
        let end = path::strip(&path, &route.endpoint_prefix).unwrap_or(found.end);
        let rest = path::rest(&path, end, found.end);
        let below = path.as_str().get(found.end..).unwrap_or_default();
        let mesh = mesh_context(&route.admission, &self.providers, headers, below).await?;
        let taken = path::taken(&path, end);
        Ok(Admitted { route, rest, taken, mesh })
    }
}

impl<'s> Admitted<'s> {
    /// Returns the name of the pipeline.
    pub fn pipeline(&self) -> &'s str {
        &self.route.pipeline.name
    }

    /// Returns the name of the endpoint.
    pub fn endpoint(&self) -> &'s str {
        &self.route.endpoint
    }

    /// Returns the name of the ingress whose URL matched.
    pub fn ingress(&self) -> Option<&'s str> {
        self.route.ingress.as_deref()
    }

    /// Returns the normal form of the path, without the prefix of the endpoint or ingress: empty, or it starts with `/`.
    /// Send this one: it is what was admitted.
    pub fn rest(&self) -> &str {
        &self.rest
    }

    /// Returns the normal form of the whole path.
    pub(crate) fn path(&self) -> String {
        format!("{}{}", self.taken, self.rest)
    }

    /// Returns the mesh that the request came in from.
    pub fn mesh(&self) -> Option<&MeshContext<'s>> {
        self.mesh.as_ref()
    }
}

impl MeshContext<'_> {
    /// Returns the name of the mesh.
    pub fn mesh(&self) -> &str {
        &self.mesh.identity.name
    }

    /// Returns the name that the provider of the mesh gives to the gateway that sent the request.
    pub fn sender(&self) -> &str {
        &self.sender
    }
}

impl AdmissionError {
    /// Returns the reason as a short name for metrics and logs, such as `no_route` or `mesh_token_expired`. The names are those
    /// of the label `reason` in docs/METRICS.md.
    pub fn reason(&self) -> &'static str {
        self.counted_as().as_str()
    }

    /// Returns the reason that a refusal is counted by.
    pub(crate) fn counted_as(&self) -> Reason {
        match self {
            Self::BadRequest(_) => Reason::BadRequest,
            Self::HttpsRequired(_) => Reason::HttpsRequired,
            Self::Misdirected => Reason::Misdirected,
            Self::UnknownNetwork => Reason::Closing,
            Self::NoRoute => Reason::NoRoute,
            Self::Closed(_) => Reason::Closed,
            Self::NotServed(_) => Reason::NotImplemented,
            Self::NoMeshContext(denial) => denial.counted_as(),
            Self::Provider(error) => Reason::of_provider(error.kind()),
        }
    }

    /// Returns the HTTP status of the response.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::BadRequest(_) => StatusCode::BAD_REQUEST,
            Self::HttpsRequired(_) => StatusCode::PERMANENT_REDIRECT,
            Self::Misdirected => StatusCode::MISDIRECTED_REQUEST,
            Self::UnknownNetwork | Self::Closed(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::NoRoute => StatusCode::NOT_FOUND,
            Self::NotServed(_) => StatusCode::NOT_IMPLEMENTED,
            Self::NoMeshContext(_) => StatusCode::FORBIDDEN,
            Self::Provider(error) => match error.kind() {
                ErrorKind::NotFound => StatusCode::NOT_FOUND,
                ErrorKind::Denied => StatusCode::FORBIDDEN,
                ErrorKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
                ErrorKind::Invalid => StatusCode::BAD_GATEWAY,
            },
        }
    }
}

impl fmt::Display for AdmissionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadRequest(message) => f.write_str(message),
            Self::HttpsRequired(origin) => {
                write!(f, "use {origin}: this network takes no cleartext requests")
            }
            Self::Misdirected => f.write_str("this gateway does not serve the host of the request"),
            Self::UnknownNetwork => f.write_str("this network is no longer served"),
            Self::NoRoute => f.write_str("no ingress and no endpoint of this gateway matches"),
            Self::Closed(reason) => f.write_str(reason),
            Self::NotServed(feature) => write!(f, "this gateway does not have {feature}"),
            Self::NoMeshContext(denial) => denial.fmt(f),
            Self::Provider(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for AdmissionError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Provider(error) => error.source(),
            _ => None,
        }
    }
}

impl From<Arc<Error>> for AdmissionError {
    fn from(error: Arc<Error>) -> Self {
        Self::Provider(error)
    }
}

impl From<NotSent> for AdmissionError {
    fn from(reason: NotSent) -> Self {
        match reason {
            NotSent::NoMesh(message) => Self::NoMeshContext(MeshDenial::of_egress(message)),
            NotSent::Provider(error) => Self::Provider(error),
        }
    }
}

/// Verifies the mesh token of a request where the route has meshes. The token must be for an ingress URL of the route, or
/// for what is below it on the way to `below`, the path after the prefix that chose the route.
///
/// # Errors
/// `NoMeshContext` when mesh context is required and the request has none; `Provider` when the token cannot be verified
/// now.
async fn mesh_context<'s>(
    admission: &'s Admission,
    providers: &Providers,
    headers: &HeaderMap,
    below: &str,
) -> Result<Option<MeshContext<'s>>, AdmissionError> {
    let token = bearer(headers);
    // Of several meshes and URLs, the fault that was found last in a verification says the most.
    let (mut reason, mut counted, mut fault) = match (token, admission.meshes.is_empty()) {
        (_, true) => ("this route belongs to no mesh".to_owned(), Reason::NoMesh, None),
        (_, false) => ("the request has no bearer token".to_owned(), Reason::TokenMissing, None),
    };
    let mut unavailable = None;
    if let Some(token) = token.filter(|_| !admission.meshes.is_empty()) {
        let now = Moment::now(providers.now());
        for Accepted { mesh, urls } in &admission.meshes {
            mesh.verified.counters.lookups.get().inc();
            if let Some(sender) = urls.iter().find_map(|url| mesh.verified.sender(token, url, now)) {
                return Ok(Some(MeshContext { mesh, sender }));
            }
        }
        for Accepted { mesh, urls } in &admission.meshes {
            for url in urls.iter() {
                match Box::pin(mesh.verify(providers, token, url, below)).await {
                    Ok(sender) => return Ok(Some(MeshContext { mesh, sender })),
                    Err(error) if error.kind() == ErrorKind::Unavailable => unavailable = Some(error),
                    Err(error) if error.token_fault() >= fault => {
                        fault = error.token_fault();
                        (reason, counted) = (error.to_string(), Reason::of_token(fault));
                    }
                    Err(_) => {}
                }
            }
        }
    }
    if !admission.required {
        return Ok(None);
    }
    match unavailable {
        Some(error) => Err(AdmissionError::Provider(Arc::new(error))),
        None => {
            let rule = "this route accepts requests from members of a mesh only: ";
            Err(AdmissionError::NoMeshContext(MeshDenial { rule, cause: reason, reason: counted }))
        }
    }
}

/// Returns the bearer token when it looks like a JWT. Other credentials are for the application behind the gateway.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    let token = token.trim();
    let is_jwt = token.bytes().filter(|b| *b == b'.').count() == 2;
    (scheme.eq_ignore_ascii_case("bearer") && is_jwt).then_some(token)
}
