//! `GET health`, `health/live` and `health/ready`: liveness and readiness.

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body_util::Full;
use serde_json::json;

use crate::host::Readiness;
use crate::http::respond;
use crate::status::Status;

/// Returns the health: always live, and ready while the gateway serves a configuration and is not about to stop. A rejected
/// edit changes neither, because the gateway keeps serving the previous configuration. Load balancers and orchestrators ask
/// without a token, so only an operator gets more.
pub(super) fn health(readiness: Readiness, status: &Status, to_operator: bool) -> Response<Full<Bytes>> {
    let mut health = json!({ "live": true, "ready": readiness.is_ready() });
    if to_operator {
        health["in_sync"] = json!(status.in_sync());
    }
    respond::json(code(readiness), &health)
}

/// Returns the liveness: who gets this answer has met a gateway that works. A configuration that is rejected, a control
/// plane that is away and a gateway that is about to stop are no reasons to start it again.
pub(super) fn live() -> Response<Full<Bytes>> {
    respond::json(StatusCode::OK, &json!({ "live": true }))
}

/// Returns the readiness, with the state in a word.
pub(super) fn ready(readiness: Readiness) -> Response<Full<Bytes>> {
    let ready = json!({ "ready": readiness.is_ready(), "state": readiness.as_str() });
    respond::json(code(readiness), &ready)
}

fn code(readiness: Readiness) -> StatusCode {
    match readiness.is_ready() {
        true => StatusCode::OK,
        false => StatusCode::SERVICE_UNAVAILABLE,
    }
}
