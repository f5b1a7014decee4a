//! Errors of the data plane, and the one place where they become HTTP.

use http::header::{ALLOW, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode};
use provider_api::{Error, ErrorKind};

use crate::http::body::Body;
use crate::http::respond::problem;
use crate::snapshot::AdmissionError;

/// The reason for which a request was not served.
#[derive(Debug)]
pub(crate) enum ProxyError {
    /// The request makes no sense here.
    BadRequest(&'static str),
    /// No route matches.
    NoRoute,
    /// The method is not for gateways.
    MethodNotAllowed,
    /// The body is larger than the configuration allows.
    BodyTooLarge,
    /// The client stopped sending in the middle of its body.
    RequestTimeout,
    /// The pipeline needs what this host does not have.
    NotImplemented(String),
    /// The request needs mesh context and has none.
    NoMeshContext(String),
    /// A provider did not do what the request needs.
    Provider(std::sync::Arc<Error>),
    /// The backend cannot be reached or does not speak HTTP.
    BadGateway(String),
    /// The backend was silent for too long.
    GatewayTimeout(String),
    /// The request went through this gateway too often.
    Loop,
    /// The network it came in on is being taken down.
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
            AdmissionError::BadRequest(why) => Self::BadRequest(why),
            AdmissionError::UnknownNetwork => Self::Closing,
            AdmissionError::NoRoute => Self::NoRoute,
            AdmissionError::NotServed(lacks) => Self::NotImplemented(lacks),
            AdmissionError::NoMeshContext(why) => Self::NoMeshContext(why),
            AdmissionError::Provider(error) => Self::Provider(error),
        }
    }
}

impl ProxyError {
    fn parts(&self) -> (StatusCode, &'static str, String) {
        match self {
            Self::BadRequest(why) => (StatusCode::BAD_REQUEST, "bad_request", (*why).to_owned()),
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
                (StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", crate::http::body::TooLarge.to_string())
            }
            Self::RequestTimeout => {
                (StatusCode::REQUEST_TIMEOUT, "request_timeout", "the request body stopped coming".to_owned())
            }
            Self::NotImplemented(lacks) => (
                StatusCode::NOT_IMPLEMENTED,
                "not_implemented",
                format!("this gateway does not have {lacks}"),
            ),
            Self::NoMeshContext(why) => (StatusCode::FORBIDDEN, "mesh_denied", why.clone()),
            Self::Provider(error) => Self::of_provider(error),
            Self::BadGateway(why) => (StatusCode::BAD_GATEWAY, "bad_gateway", why.clone()),
            Self::GatewayTimeout(why) => (StatusCode::GATEWAY_TIMEOUT, "gateway_timeout", why.clone()),
            Self::Loop => {
                (StatusCode::LOOP_DETECTED, "loop", "the request passed too many gateways".to_owned())
            }
            Self::Closing => {
                (StatusCode::SERVICE_UNAVAILABLE, "closing", "this network is no longer served".to_owned())
            }
        }
    }

    fn of_provider(error: &Error) -> (StatusCode, &'static str, String) {
        let (status, code) = match error.kind() {
            ErrorKind::NotFound => (StatusCode::NOT_FOUND, "resource_not_found"),
            ErrorKind::Denied => (StatusCode::FORBIDDEN, "resource_denied"),
            ErrorKind::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "provider_unavailable"),
            ErrorKind::Invalid => (StatusCode::BAD_GATEWAY, "resource_unusable"),
        };
        (status, code, error.to_string())
    }

    fn retry_after(&self) -> Option<u64> {
        match self {
            Self::Provider(error) if error.kind() == ErrorKind::Unavailable => {
                Some(error.retry_after().map_or(5, |wait| wait.as_secs().max(1)))
            }
            Self::Closing => Some(1),
            _ => None,
        }
    }
}

/// The one place where a refusal becomes HTTP: a JSON object with `error` and `message`.
pub(crate) fn respond(refusal: &ProxyError) -> Response<Body> {
    let (status, code, message) = refusal.parts();
    let mut response = problem(status, code, &message).map(Body::from);
    if let Some(seconds) = refusal.retry_after() {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    if matches!(refusal, ProxyError::MethodNotAllowed) {
        let allowed = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
        response.headers_mut().insert(ALLOW, allowed);
    }
    response
}
