//! Answers about the primary provider.

use std::sync::Arc;

use bytes::Bytes;
use http::header::RETRY_AFTER;
use http::{HeaderValue, Response, StatusCode};
use http_body_util::Full;
use provider_api::{Error, ErrorKind, Provider};

use crate::http::respond::problem;
use crate::providers::isolate::error_chain;
use crate::snapshot::Snapshot;

/// The primary provider, when it is a remote one.
///
/// # Errors
/// The answer 403 in the words that the CLI looks for.
pub(super) fn remote(snapshot: &Snapshot) -> Result<&Arc<dyn Provider>, Box<Response<Full<Bytes>>>> {
    let primary = snapshot.providers.primary_name();
    match snapshot.providers.primary() {
        Some(provider) if !primary.is_local() => Ok(provider),
        _ => Err(lacking("Runbeam Cloud integration is disabled: the primary provider is `local`")),
    }
}

/// The answer for what the primary provider cannot do.
pub(super) fn lacking(message: &str) -> Box<Response<Full<Bytes>>> {
    Box::new(problem(StatusCode::FORBIDDEN, "disabled", message))
}

/// The one place where an error of a provider becomes an answer of the management API.
pub(super) fn failed(error: &Error) -> Response<Full<Bytes>> {
    let (status, code) = match error.kind() {
        ErrorKind::Denied => (StatusCode::FORBIDDEN, "denied"),
        ErrorKind::Invalid => (StatusCode::BAD_REQUEST, "invalid"),
        ErrorKind::NotFound => (StatusCode::NOT_FOUND, "not_found"),
        ErrorKind::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "provider_unavailable"),
    };
    let mut response = problem(status, code, &error_chain(error));
    if let Some(wait) = error.retry_after() {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(wait.as_secs().max(1)));
    }
    response
}

/// The answer while the gateway stops.
pub(super) fn stopping() -> Response<Full<Bytes>> {
    problem(StatusCode::SERVICE_UNAVAILABLE, "stopping", "the gateway is stopping")
}
