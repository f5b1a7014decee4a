//! `GET health`: liveness and readiness.

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body_util::Full;
use serde_json::json;

use crate::http::respond;
use crate::status::Status;

/// Returns the health: always live, and ready while the gateway serves a configuration. A rejected edit changes
/// neither, because the gateway keeps serving the previous configuration. Load balancers and orchestrators ask without a
/// token, so only an operator gets more.
pub(super) fn health(status: &Status, to_operator: bool) -> Response<Full<Bytes>> {
    let ready = status.effective.is_some();
    let code = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let mut health = json!({ "live": true, "ready": ready });
    if to_operator {
        health["in_sync"] = json!(status.in_sync());
    }
    respond::json(code, &health)
}
