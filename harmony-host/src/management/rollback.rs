//! `POST rollback`: an earlier generation, restored.

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::apply::{RollbackRequest, RollbackVerdict};
use crate::audit::Actor;
use crate::host::Control;
use crate::http::respond;
use crate::management::provider_error::stopping;
use crate::management::read_json::{RequestBody, read_json};

/// The body of the request.
#[derive(Deserialize)]
struct Body {
    generation: u64,
    #[serde(default)]
    force: bool,
    #[serde(default)]
    dry_run: bool,
}

/// Restores an earlier generation, or tells what would happen.
pub(super) async fn rollback<B: RequestBody>(
    control: &Control,
    request: Request<B>,
    by: &Actor,
) -> Response<Full<Bytes>> {
    let body: Body = match read_json(request).await {
        Ok(body) => body,
        Err(response) => return *response,
    };
    let Body { generation, force, dry_run } = body;
    let request = RollbackRequest { to: generation, by: by.clone(), force, dry_run };
    let Some(report) = control.roll_back(request).await else { return stopping() };
    let mut body = serde_json::to_value(&report).unwrap_or_else(|_| json!({}));
    let (status, error) = match report.verdict {
        RollbackVerdict::Planned | RollbackVerdict::Applied | RollbackVerdict::Unchanged => {
            (StatusCode::OK, None)
        }
        RollbackVerdict::Rejected => (StatusCode::UNPROCESSABLE_ENTITY, Some("rejected")),
        RollbackVerdict::Refused => (StatusCode::CONFLICT, Some("refused")),
    };
    body["success"] = Value::Bool(status.is_success());
    if let Some(error) = error {
        body["error"] = json!(error);
    }
    respond::json(status, &body)
}
