//! Responses and errors of the API.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, StatusCode};
use serde::Serialize;
use serde_json::json;

/// The result of a call. An error becomes a response, too.
pub(super) type ApiResult = Result<ApiResponse, ApiError>;

/// A response with its whole body.
#[derive(Clone, Debug)]
pub(super) struct ApiResponse {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl ApiResponse {
    pub(super) fn new(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(content_type))]);
        Self { status, headers, body: body.into() }
    }

    pub(super) fn json(status: StatusCode, body: &impl Serialize) -> Self {
        Self::new(status, "application/json", serde_json::to_vec(body).expect("plain data becomes JSON"))
    }

    pub(super) fn ok(body: &impl Serialize) -> ApiResult {
        Ok(Self::json(StatusCode::OK, body))
    }

    pub(super) fn with(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(name, value);
        }
        self
    }
}

/// An HTTP error response.
#[derive(Clone, Debug)]
pub(super) struct ApiError {
    pub(super) status: StatusCode,
    pub(super) error: &'static str,
    pub(super) message: String,
    /// True if the caller violated the protocol, as opposed to sending a request that failed.
    pub(super) violation: bool,
    /// The line of a document that is at fault, from 1.
    pub(super) line: Option<usize>,
}

impl ApiError {
    fn new(status: StatusCode, error: &'static str, message: impl Into<String>) -> Self {
        Self { status, error, message: message.into(), violation: false, line: None }
    }

    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", message)
    }

    pub(super) fn unauthorized(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", message)
    }

    pub(super) fn forbidden(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", message)
    }

    pub(super) fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", message)
    }

    pub(super) fn method_not_allowed(message: impl Into<String>) -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message)
    }

    pub(super) fn too_large(message: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large", message)
    }

    pub(super) fn unsupported(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", message)
    }

    pub(super) fn unprocessable(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "unprocessable", message)
    }

    /// 409 for a call that contradicts an earlier one of the same caller: a protocol violation.
    pub(super) fn conflict(message: impl Into<String>) -> Self {
        Self { violation: true, ..Self::new(StatusCode::CONFLICT, "conflict", message) }
    }

    pub(super) fn at_line(self, line: Option<usize>) -> Self {
        Self { line, ..self }
    }

    pub(super) fn to_response(&self) -> ApiResponse {
        let mut body = json!({ "error": self.error, "message": self.message });
        if let Some(line) = self.line {
            body["line"] = line.into();
        }
        ApiResponse::json(self.status, &body)
    }
}
