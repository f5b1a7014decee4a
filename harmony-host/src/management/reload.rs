//! `POST reload`: the configuration files, read and applied now.

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body_util::Full;
use serde_json::json;

use crate::apply::Verdict;
use crate::audit::Actor;
use crate::host::Control;
use crate::http::respond;
use crate::management::provider_error::stopping;
use crate::status::ProblemReport;

/// Applies the configuration files and returns the verdict.
pub(super) async fn reload(control: &Control, by: &Actor) -> Response<Full<Bytes>> {
    match control.reload(by).await {
        Some(Verdict::Applied { generation }) => respond::json(
            StatusCode::OK,
            &json!({ "success": true, "verdict": "applied", "generation": generation,
                     "message": format!("the configuration is live as generation {generation}") }),
        ),
        Some(Verdict::Unchanged { generation }) => respond::json(
            StatusCode::OK,
            &json!({ "success": true, "verdict": "unchanged", "generation": generation,
                     "message": "the gateway already serves these files" }),
        ),
        Some(Verdict::Rejected(rejection)) => {
            let problems: Vec<ProblemReport> =
                rejection.problems.sorted_errors().into_iter().map(ProblemReport::from).collect();
            respond::json(
                StatusCode::UNPROCESSABLE_ENTITY,
                &json!({ "success": false, "verdict": "rejected", "class": rejection.class.to_string(),
                         "error": "rejected",
                         "message": "the configuration was rejected; the previous configuration stays live",
                         "problems": problems }),
            )
        }
        None => stopping(),
    }
}
