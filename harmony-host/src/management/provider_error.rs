//! Error responses about the primary provider.

use std::sync::Arc;

use bytes::Bytes;
use http::header::RETRY_AFTER;
use http::{HeaderValue, Response, StatusCode};
use http_body_util::Full;
use provider_api::{Error, ErrorKind, Provider};

use crate::http::respond::problem;
use crate::providers::isolate::error_chain;
use crate::snapshot::Snapshot;

/// Returns the primary provider, if it is a remote one.
///
/// # Errors
/// The response 403. The `runbeam` CLI matches the text of the message, so it must not change.
pub(super) fn remote_provider(snapshot: &Snapshot) -> Result<&Arc<dyn Provider>, Box<Response<Full<Bytes>>>> {
    let primary = snapshot.providers.primary_name();
    match snapshot.providers.primary() {
        Some(provider) if !primary.is_local() => Ok(provider),
        _ => Err(disabled("Runbeam Cloud integration is disabled: the primary provider is `local`")),
    }
}

/// Creates the response 403 to an operation that the primary provider does not support.
pub(super) fn disabled(message: &str) -> Box<Response<Full<Bytes>>> {
    Box::new(problem(StatusCode::FORBIDDEN, "disabled", message))
}

/// Converts an error of a provider to a response of the management API. This is the only place that does.
pub(super) fn provider_failed(error: &Error) -> Response<Full<Bytes>> {
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

/// Creates the response 503 of a gateway that is stopping.
pub(super) fn stopping() -> Response<Full<Bytes>> {
    problem(StatusCode::SERVICE_UNAVAILABLE, "stopping", "the gateway is stopping")
}
