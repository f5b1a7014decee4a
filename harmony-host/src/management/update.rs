use std::sync::Arc;

use http::{Response, StatusCode};
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};

use crate::http::body::Body;
use crate::management::remote::{failed, remote, stopping};
use crate::proxy::error::json;
use crate::snapshot::Snapshot;
use crate::sync::SyncCommand;

/// POST update: pushes the configuration that is served up to the control plane.
pub(super) async fn update(snapshot: &Arc<Snapshot>, commands: &mpsc::Sender<SyncCommand>) -> Response<Body> {
    if let Err(refusal) = remote(snapshot) {
        return *refusal;
    }
    let (reply, pushed) = oneshot::channel();
    if commands.send(SyncCommand::Push(Arc::clone(snapshot), reply)).await.is_err() {
        return stopping();
    }
    match pushed.await {
        Err(_) => stopping(),
        Ok(Err(error)) => failed(&error),
        Ok(Ok(report)) => {
            let mut answer = serde_json::to_value(&report).unwrap_or_else(|_| json!({}));
            answer["success"] = Value::Bool(true);
            answer["message"] = Value::String(format!("pushed {report}"));
            json(StatusCode::OK, &answer)
        }
    }
}
