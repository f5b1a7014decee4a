//! `POST sync`: changes of the control plane, fetched and applied now.

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body_util::Full;
use serde_json::{Value, json};

use crate::audit::Actor;
use crate::host::Control;
use crate::http::respond;
use crate::management::provider_error::{provider_failed, remote_provider, stopping};
use crate::snapshot::Snapshot;

/// Accepts what a new state cannot know, then syncs.
pub(super) async fn accept_fresh(
    snapshot: &Snapshot,
    control: &Control,
    by: &Actor,
) -> Response<Full<Bytes>> {
    if let Err(response) = remote_provider(snapshot) {
        return *response;
    }
    match control.accept_fresh(by).await {
        Ok(()) => sync(snapshot, control, by).await,
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
pub(super) async fn sync(snapshot: &Snapshot, control: &Control, by: &Actor) -> Response<Full<Bytes>> {
    if let Err(response) = remote_provider(snapshot) {
        return *response;
    }
    let Some(report) = control.sync(by).await else { return stopping() };
    let (applied, rejected, deferred) = (report.applied.len(), report.rejected.len(), report.held.len());
    let mut body = serde_json::to_value(&report).unwrap_or_else(|_| json!({}));
    let paused = control.paused();
    let (status, code) = match (&report.error, &paused) {
        (_, Some(_)) => (StatusCode::CONFLICT, Some("paused")),
        (Some(_), None) => (StatusCode::SERVICE_UNAVAILABLE, Some("provider_unavailable")),
        (None, None) => (StatusCode::OK, None),
    };
    let message = match (&report.error, &paused) {
        (_, Some(pause)) => format!("the sync {}; `harmony-host resume` ends the pause", pause.in_words()),
        (Some(error), None) => about_the_provider(error, snapshot),
        (None, None) => format!("{applied} applied, {rejected} rejected, {deferred} deferred"),
    };
    body["paused"] = json!(paused);
    let overview = control.status.read();
    body["in_sync"] = Value::Bool(overview.in_sync());
    body["unknown"] = Value::Bool(overview.is_unknown());
    body["reason"] = json!(overview.reason());
    body["success"] = Value::Bool(code.is_none());
    body["message"] = Value::String(message);
    if let Some(code) = code {
        body["error"] = json!(code);
    }
    respond::json(status, &body)
}
