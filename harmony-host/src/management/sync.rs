//! `POST sync`.

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body_util::Full;
use serde_json::{Value, json};

use crate::host::Control;
use crate::http::respond;
use crate::management::provider_error::{remote, stopping};
use crate::snapshot::Snapshot;

/// Asks the primary provider for changes now, applies them, and answers with the verdicts.
pub(super) async fn sync(snapshot: &Snapshot, control: &Control) -> Response<Full<Bytes>> {
    if let Err(refusal) = remote(snapshot) {
        return *refusal;
    }
    let Some(report) = control.sync().await else { return stopping() };
    let (applied, rejected, held) = (report.applied.len(), report.rejected.len(), report.held.len());
    let mut answer = serde_json::to_value(&report).unwrap_or_else(|_| json!({}));
    let status = match &report.error {
        None => StatusCode::OK,
        Some(_) => StatusCode::SERVICE_UNAVAILABLE,
    };
    let message = match &report.error {
        None => format!("{applied} applied, {rejected} rejected, {held} held"),
        Some(error) => error.clone(),
    };
    answer["success"] = Value::Bool(report.error.is_none());
    answer["message"] = Value::String(message);
    if report.error.is_some() {
        answer["error"] = json!("provider_unavailable");
    }
    respond::json(status, &answer)
}
