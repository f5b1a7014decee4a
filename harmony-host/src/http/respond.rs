//! Responses in JSON.

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderValue, Response, StatusCode};
use http_body_util::Full;

use crate::diagnostics::escape::escape;
use crate::diagnostics::redaction::redact;

/// Creates an error response: JSON with `error` and `message`. The message is escaped: people read it in terminals, and
/// it may repeat text of documents.
pub(crate) fn problem(status: StatusCode, code: &str, message: &str) -> Response<Full<Bytes>> {
    let mut response =
        json(status, &serde_json::json!({ "error": code, "message": escape(&redact(message)) }));
    if status == StatusCode::UNAUTHORIZED {
        response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}

/// Creates the error response to a request with an id, which the client can tell the operator.
pub(crate) fn problem_of(
    status: StatusCode,
    code: &str,
    message: &str,
    request_id: &str,
) -> Response<Full<Bytes>> {
    let message = escape(&redact(message)).into_owned();
    json(status, &serde_json::json!({ "error": code, "message": message, "request_id": request_id }))
}

/// Creates a response 405. It must name the allowed methods (RFC 9110, section 15.5.6).
pub(crate) fn not_allowed(allowed: &'static str) -> Response<Full<Bytes>> {
    let message = format!("allowed methods: {allowed}");
    let mut response = problem(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", &message);
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    response
}

/// Creates a JSON response.
pub(crate) fn json(status: StatusCode, value: &serde_json::Value) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(format!("{value}\n")));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
