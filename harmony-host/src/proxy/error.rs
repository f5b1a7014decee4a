//! The errors of the data plane, and their conversion to HTTP responses.

use http::header::{ALLOW, LOCATION, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode};
use provider_api::{Error, ErrorKind};

use crate::http::body::Body;
use crate::http::limits::MAX_HEADERS;
use crate::http::respond::problem_of;
use crate::http::upload::UploadError;
use crate::metrics::{Fault, Reason};
use crate::plan::NotSent;
use crate::snapshot::{AdmissionError, MeshDenial};
use crate::trace::Identity;

/// The reason why the data plane did not serve a request.
#[derive(Debug)]
pub(crate) enum ProxyError {
    /// The request is malformed, or a gateway cannot forward it.
    BadRequest(&'static str),
    /// The request must be sent to this URL, over https. Set in the second for methods without side effects.
    Redirect(String, bool),
    /// The request came in cleartext for a host that this gateway does not serve.
    Misdirected,
    /// No route matches.
    NoRoute,
    /// The gateway does not forward the method.
    MethodNotAllowed,
    /// The body exceeds the configured limit.
    BodyTooLarge,
    /// The request has more headers than the gateway takes.
    TooManyHeaders,
    /// The client stopped sending its body.
    RequestTimeout,
    /// The pipeline needs a service or middleware that this host does not have.
    NotImplemented(String),
    /// The endpoint is closed.
    Closed(String),
    /// The request needs a mesh context and has none.
    NoMeshContext(MeshDenial),
    /// A provider failed to resolve a reference, or to issue or verify a token.
    Provider(std::sync::Arc<Error>),
    /// The backend is unreachable or does not speak HTTP.
    BadGateway(Fault, String),
    /// The backend sent nothing before the timeout.
    GatewayTimeout(String),
    /// All connections to backends are in use.
    Overloaded,
    /// The request passed too many gateways, so it is probably in a loop.
    Loop,
    /// The network of the connection is no longer configured.
    Closing,
}

impl From<std::sync::Arc<Error>> for ProxyError {
    fn from(error: std::sync::Arc<Error>) -> Self {
        Self::Provider(error)
    }
}

impl From<AdmissionError> for ProxyError {
    fn from(error: AdmissionError) -> Self {
        match error {
            AdmissionError::BadRequest(reason) => Self::BadRequest(reason),
            AdmissionError::HttpsRequired(origin) => Self::Redirect(origin, false),
            AdmissionError::Misdirected => Self::Misdirected,
            AdmissionError::UnknownNetwork => Self::Closing,
            AdmissionError::NoRoute => Self::NoRoute,
            AdmissionError::Closed(reason) => Self::Closed(reason.to_string()),
            AdmissionError::NotServed(missing) => Self::NotImplemented(missing),
            AdmissionError::NoMeshContext(denial) => Self::NoMeshContext(denial),
            AdmissionError::Provider(error) => Self::Provider(error),
        }
    }
}

impl From<NotSent> for ProxyError {
    fn from(reason: NotSent) -> Self {
        match reason {
            NotSent::NoMesh(message) => Self::NoMeshContext(MeshDenial::of_egress(message)),
            NotSent::Provider(error) => Self::Provider(error),
        }
    }
}

impl ProxyError {
    /// Returns the status, the code and the message.
    fn parts(&self) -> (StatusCode, &'static str, String) {
        match self {
            Self::BadRequest(reason) => (StatusCode::BAD_REQUEST, "bad_request", (*reason).to_owned()),
            Self::Redirect(url, is_read) => {
                // Clients may repeat a POST as GET after a 301 (RFC 9110, section 15.4.2), so only reads get it.
                let status =
                    if *is_read { StatusCode::MOVED_PERMANENTLY } else { StatusCode::PERMANENT_REDIRECT };
                (status, "https_required", format!("this network takes no cleartext requests; use {url}"))
            }
            Self::Misdirected => (
                StatusCode::MISDIRECTED_REQUEST,
                "misdirected",
                "this gateway does not serve the host of the request".to_owned(),
            ),
            Self::NoRoute => (
                StatusCode::NOT_FOUND,
                "no_route",
                "no ingress and no endpoint of this gateway matches".to_owned(),
            ),
            Self::MethodNotAllowed => (
                StatusCode::METHOD_NOT_ALLOWED,
                "method_not_allowed",
                "this method is not forwarded".to_owned(),
            ),
            Self::BodyTooLarge => {
                (StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", UploadError::TooLarge.to_string())
            }
            Self::RequestTimeout => {
                (StatusCode::REQUEST_TIMEOUT, "request_timeout", UploadError::Stalled.to_string())
            }
            Self::TooManyHeaders => (
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                "too_many_headers",
                format!("the request has more than {MAX_HEADERS} headers"),
            ),
            Self::NotImplemented(missing) => (
                StatusCode::NOT_IMPLEMENTED,
                "not_implemented",
                format!("this gateway does not have {missing}"),
            ),
            Self::Closed(reason) => (StatusCode::SERVICE_UNAVAILABLE, "closed", reason.clone()),
            Self::NoMeshContext(denial) => (StatusCode::FORBIDDEN, "mesh_denied", denial.to_string()),
            Self::Provider(error) => Self::provider_parts(error),
            Self::BadGateway(_, reason) => (StatusCode::BAD_GATEWAY, "bad_gateway", reason.clone()),
            Self::GatewayTimeout(reason) => (StatusCode::GATEWAY_TIMEOUT, "gateway_timeout", reason.clone()),
            Self::Overloaded => (
                StatusCode::SERVICE_UNAVAILABLE,
                "overloaded",
                "all connections of this gateway to backends are in use".to_owned(),
            ),
            Self::Loop => {
                (StatusCode::LOOP_DETECTED, "loop", "the request passed too many gateways".to_owned())
            }
            Self::Closing => {
                (StatusCode::SERVICE_UNAVAILABLE, "closing", "this network is no longer served".to_owned())
            }
        }
    }

    /// Returns the reason that the refusal is counted by.
    pub(super) fn reason(&self) -> Reason {
        match self {
            Self::BadRequest(_) => Reason::BadRequest,
            Self::Redirect(..) => Reason::HttpsRequired,
            Self::Misdirected => Reason::Misdirected,
            Self::NoRoute => Reason::NoRoute,
            Self::MethodNotAllowed => Reason::Method,
            Self::BodyTooLarge => Reason::BodyTooLarge,
            Self::TooManyHeaders => Reason::TooManyHeaders,
            Self::RequestTimeout => Reason::RequestTimeout,
            Self::NotImplemented(_) => Reason::NotImplemented,
            Self::Closed(_) => Reason::Closed,
            Self::NoMeshContext(denial) => denial.counted_as(),
            Self::Provider(error) => Reason::of_provider(error.kind()),
            Self::BadGateway(Fault::Unreachable, _) => Reason::BackendUnreachable,
            Self::BadGateway(Fault::Closed, _) => Reason::BackendClosed,
            Self::BadGateway(..) => Reason::BackendInvalid,
            Self::GatewayTimeout(_) => Reason::BackendTimeout,
            Self::Overloaded => Reason::Overloaded,
            Self::Loop => Reason::Loop,
            Self::Closing => Reason::Closing,
        }
    }

    /// Returns the cause for the operator, where a provider or the rules of a mesh refused the request.
    pub(super) fn cause(&self) -> Option<String> {
        match self {
            Self::NoMeshContext(denial) => Some(denial.cause().to_owned()),
            Self::Provider(error) => Some(error.to_string()),
            _ => None,
        }
    }

    /// Returns the status, the code and the message for the error of a provider.
    fn provider_parts(error: &Error) -> (StatusCode, &'static str, String) {
        let (status, code) = match error.kind() {
            ErrorKind::NotFound => (StatusCode::NOT_FOUND, "resource_not_found"),
            ErrorKind::Denied => (StatusCode::FORBIDDEN, "resource_denied"),
            ErrorKind::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "provider_unavailable"),
            ErrorKind::Invalid => (StatusCode::BAD_GATEWAY, "resource_unusable"),
        };
        (status, code, error.to_string())
    }

    /// Returns the seconds for Retry-After. The default is 5 for a provider without a hint.
    fn retry_after(&self) -> Option<u64> {
        match self {
            Self::Provider(error) if error.kind() == ErrorKind::Unavailable => {
                Some(error.retry_after().map_or(5, |wait| wait.as_secs().max(1)))
            }
            Self::Closing | Self::Overloaded => Some(1),
            _ => None,
        }
    }
}

/// Converts an error to a response: a JSON object with `error`, `message` and `request_id`. This is the only place that does.
pub(crate) fn respond(error: &ProxyError, identity: &Identity) -> Response<Body> {
    let (status, code, message) = error.parts();
    let mut response = problem_of(status, code, &message, identity.request_id()).map(Body::from);
    if let Some(seconds) = error.retry_after() {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    if let ProxyError::Redirect(url, _) = error
        && let Ok(url) = HeaderValue::from_str(url)
    {
        response.headers_mut().insert(LOCATION, url);
    }
    if matches!(error, ProxyError::MethodNotAllowed) {
        let allowed = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
        response.headers_mut().insert(ALLOW, allowed);
    }
    response
}
