use http::{Response, StatusCode};
use serde_json::json;

use crate::http::body::Body;
use crate::proxy::error::json;
use crate::status::Status;

/// GET health: live, since somebody answers; ready, when there is a configuration to serve. A rejected edit
/// makes neither untrue: what was good is served on.
pub(super) fn health(status: &Status) -> Response<Body> {
    let ready = status.effective.is_some();
    let code = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    json(code, &json!({ "live": true, "ready": ready, "in_sync": status.in_sync() }))
}
