use http::{Response, StatusCode};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::host::sync_now;
use crate::http::body::Body;
use crate::management::remote::{remote, stopping};
use crate::proxy::error::json;
use crate::snapshot::Snapshot;
use crate::sync::SyncCommand;

/// POST sync: asks the primary provider for changes now, applies them, and answers with the verdicts.
pub(super) async fn sync(snapshot: &Snapshot, commands: &mpsc::Sender<SyncCommand>) -> Response<Body> {
    if let Err(refusal) = remote(snapshot) {
        return *refusal;
    }
    let Some(report) = sync_now(commands).await else { return stopping() };
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
    json(status, &answer)
}
