//! `POST update`: a push of the served configuration to the control plane.

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body_util::Full;
use serde_json::{Value, json};

use crate::audit::Actor;
use crate::host::Control;
use crate::http::respond;
use crate::management::provider_error::{provider_failed, remote_provider};
use crate::snapshot::Snapshot;

/// Pushes the served configuration to the control plane.
pub(super) async fn update(snapshot: &Snapshot, control: &Control, by: &Actor) -> Response<Full<Bytes>> {
    if let Err(response) = remote_provider(snapshot) {
        return *response;
    }
    match control.push(by).await {
        Err(error) => provider_failed(&error),
        Ok(report) => {
            let mut body = serde_json::to_value(&report).unwrap_or_else(|_| json!({}));
            body["success"] = Value::Bool(report.failed.is_empty());
            body["message"] = Value::String(format!("pushed {report}"));
            respond::json(StatusCode::OK, &body)
        }
    }
}
