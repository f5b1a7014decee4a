use http::{Response, StatusCode};
use serde_json::json;
use tokio::sync::mpsc;

use crate::apply::Verdict;
use crate::host::{self, Command};
use crate::http::body::Body;
use crate::proxy::error::{json, problem};
use crate::status::ProblemReport;

/// POST reload: applies what the files say and answers with the verdict.
pub(super) async fn reload(commands: &mpsc::Sender<Command>) -> Response<Body> {
    match host::reload(commands).await {
        Some(Verdict::Applied { generation }) => json(
            StatusCode::OK,
            &json!({ "success": true, "verdict": "applied", "generation": generation,
                     "message": format!("the configuration is live as generation {generation}") }),
        ),
        Some(Verdict::Unchanged { generation }) => json(
            StatusCode::OK,
            &json!({ "success": true, "verdict": "unchanged", "generation": generation,
                     "message": "the files are what is served already" }),
        ),
        Some(Verdict::Rejected(refused)) => {
            let problems: Vec<ProblemReport> =
                refused.problems.sorted_errors().into_iter().map(ProblemReport::from).collect();
            json(
                StatusCode::UNPROCESSABLE_ENTITY,
                &json!({ "success": false, "verdict": "rejected", "class": refused.class.to_string(),
                         "error": "rejected", "message": "the configuration was rejected; what was served is served on",
                         "problems": problems }),
            )
        }
        None => problem(StatusCode::SERVICE_UNAVAILABLE, "stopping", "the gateway is stopping"),
    }
}
