//! `POST sync`: changes of the control plane, fetched and applied now.

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body_util::Full;
use serde_json::{Value, json};

use crate::host::Control;
use crate::http::respond;
use crate::management::provider_error::{provider_failed, remote_provider, stopping};
use crate::snapshot::Snapshot;

/// Accepts what a new state cannot know, then syncs.
pub(super) async fn accept_fresh(snapshot: &Snapshot, control: &Control) -> Response<Full<Bytes>> {
    if let Err(response) = remote_provider(snapshot) {
        return *response;
    }
    match control.accept_fresh().await {
        Ok(()) => sync(snapshot, control).await,
        Err(error) => provider_failed(&error),
    }
}

/// Returns an error of the sync with the address of the control plane, unless the error names it.
fn about_the_provider(error: &str, snapshot: &Snapshot) -> String {
    let primary = &snapshot.config.primary;
    match &primary.address {
        Some(address) if !error.contains(address) => format!("`{}` at {address}: {error}", primary.name),
        _ => error.to_owned(),
    }
}

/// Fetches the changes of the primary provider now, applies them, and returns the verdicts.
pub(super) async fn sync(snapshot: &Snapshot, control: &Control) -> Response<Full<Bytes>> {
    if let Err(response) = remote_provider(snapshot) {
        return *response;
    }
    let Some(report) = control.sync().await else { return stopping() };
    let (applied, rejected, deferred) = (report.applied.len(), report.rejected.len(), report.held.len());
    let mut body = serde_json::to_value(&report).unwrap_or_else(|_| json!({}));
    let status = match &report.error {
        None => StatusCode::OK,
        Some(_) => StatusCode::SERVICE_UNAVAILABLE,
    };
    let message = match &report.error {
        None => format!("{applied} applied, {rejected} rejected, {deferred} deferred"),
        Some(error) => about_the_provider(error, snapshot),
    };
    let overview = control.status.read();
    body["in_sync"] = Value::Bool(overview.in_sync());
    body["unknown"] = Value::Bool(overview.is_unknown());
    body["reason"] = json!(overview.reason());
    body["success"] = Value::Bool(report.error.is_none());
    body["message"] = Value::String(message);
    if report.error.is_some() {
        body["error"] = json!("provider_unavailable");
    }
    respond::json(status, &body)
}
