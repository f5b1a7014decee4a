//! `GET health`: liveness and readiness.

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body_util::Full;
use serde_json::json;

use crate::http::respond;
use crate::status::Status;

/// Returns the health: always live, and ready while the gateway serves a configuration. A rejected edit changes
/// neither, because the gateway keeps serving the previous configuration.
pub(super) fn health(status: &Status) -> Response<Full<Bytes>> {
    let ready = status.effective.is_some();
    let code = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    respond::json(code, &json!({ "live": true, "ready": ready, "in_sync": status.in_sync() }))
}
