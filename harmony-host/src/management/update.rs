//! `POST update`.

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body_util::Full;
use serde_json::{Value, json};

use crate::host::Control;
use crate::http::respond;
use crate::management::provider_error::{failed, remote};
use crate::snapshot::Snapshot;

/// Pushes the configuration that is served up to the control plane.
pub(super) async fn update(snapshot: &Snapshot, control: &Control) -> Response<Full<Bytes>> {
    if let Err(refusal) = remote(snapshot) {
        return *refusal;
    }
    match control.push().await {
        Err(error) => failed(&error),
        Ok(report) => {
            let mut answer = serde_json::to_value(&report).unwrap_or_else(|_| json!({}));
            answer["success"] = Value::Bool(true);
            answer["message"] = Value::String(format!("pushed {report}"));
            respond::json(StatusCode::OK, &answer)
        }
    }
}
