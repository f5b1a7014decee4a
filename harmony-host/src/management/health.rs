//! `GET health`.

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body_util::Full;
use serde_json::json;

use crate::http::respond;
use crate::status::Status;

/// Answers live, since somebody answers, and ready, when there is a configuration to serve. A rejected edit makes neither
/// untrue: what was good is served on.
pub(super) fn health(status: &Status) -> Response<Full<Bytes>> {
    let ready = status.effective.is_some();
    let code = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    respond::json(code, &json!({ "live": true, "ready": ready, "in_sync": status.in_sync() }))
}
