//! `GET history` and `GET history/diff`: the generations, and the differences of two of them.

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body_util::Full;
use serde_json::{Value, json};
use url::form_urlencoded;

use crate::history::{Entry, NotRecorded, Outcome, Page};
use crate::host::{Comparison, Control};
use crate::http::respond::{self, problem};
use crate::status::timestamp;

/// The number of entries of a page, unless asked for.
const DEFAULT_ENTRIES: usize = 50;

/// The most entries of a page.
const MAX_ENTRIES: usize = 200;

/// The most files of an entry.
const MAX_FILES: usize = 100;

/// Returns a page of the history, newest first.
pub(super) async fn history(control: &Control, query: Option<&str>) -> Response<Full<Bytes>> {
    let (before, limit) = match (number(query, "before"), number(query, "limit")) {
        (Ok(before), Ok(limit)) => (before, limit),
        (Err(response), _) | (_, Err(response)) => return *response,
    };
    let limit = limit.map_or(DEFAULT_ENTRIES, |limit| limit.clamp(1, MAX_ENTRIES as u64) as usize);
    control.history.settled().await;
    let history = std::sync::Arc::clone(&control.history);
    let page = tokio::task::spawn_blocking(move || history.page(before, limit)).await;
    let Ok(Page { entries, next, oldest }) = page else {
        return problem(StatusCode::INTERNAL_SERVER_ERROR, "internal", "the history cannot be read");
    };
    let status = control.status.read();
    let served = control.snapshot();
    let body = json!({
        "now": timestamp(served.providers().now()),
        "served": served.generation,
        "oldest": oldest,
        "entries": entries.iter().map(|one| entry(one)).collect::<Vec<_>>(),
        "next": next,
        "failure": status.history.as_ref().and_then(|history| history.failure.clone()),
    });
    respond::json(StatusCode::OK, &body)
}

/// Returns an entry as JSON. The keys are the same for each, whatever its verdict.
fn entry(entry: &Entry) -> Value {
    let files = entry.changed_files();
    let files: Vec<Value> =
        files.take(MAX_FILES).map(|(name, change)| json!({ "name": name, "change": change })).collect();
    let (class, problem, problems, serves) = match &entry.outcome {
        Outcome::Applied { generation } => (None, None, 0, *generation),
        Outcome::Rejected { after, class, problem, problems } => {
            (Some(class), Some(problem), *problems, *after)
        }
    };
    json!({
        "id": entry.id,
        "generation": entry.generation(),
        "serves": serves,
        "at": entry.at,
        "verdict": entry.outcome.verdict(),
        "class": class,
        "problem": problem,
        "problems": problems,
        "cause": entry.cause,
        "cause_text": entry.cause.in_words(&entry.users),
        "users": entry.users,
        "changed": entry.changed,
        "files": files,
        "file_count": entry.changed_files().count(),
        "digest": (!entry.digest.is_empty()).then_some(&entry.digest),
    })
}

/// Returns the differences of two generations.
pub(super) async fn diff(control: &Control, query: Option<&str>) -> Response<Full<Bytes>> {
    let (from, to) = match (number(query, "from"), number(query, "to")) {
        (Ok(Some(from)), Ok(to)) => (from, to),
        (Ok(None), _) => {
            let message = "give the number of a generation, such as ?from=3, or of two, such as ?from=3&to=5";
            return problem(StatusCode::BAD_REQUEST, "bad_request", message);
        }
        (Err(response), _) | (_, Err(response)) => return *response,
    };
    match control.compare(from, to).await {
        Ok(Comparison { from, to, changed, files, left_out }) => {
            let body =
                json!({ "from": from, "to": to, "changed": changed, "files": files, "left_out": left_out });
            respond::json(StatusCode::OK, &body)
        }
        Err(error) => not_recorded(&error),
    }
}

/// Creates the response to a question about a generation that cannot be read.
fn not_recorded(error: &NotRecorded) -> Response<Full<Bytes>> {
    let status = match error {
        NotRecorded::Gone { .. } => StatusCode::GONE,
        NotRecorded::Unknown { .. } => StatusCode::NOT_FOUND,
        NotRecorded::Lost { .. } => StatusCode::INTERNAL_SERVER_ERROR,
    };
    problem(status, "not_recorded", &error.to_string())
}

/// Returns a number of the query; `None` if it does not have it.
///
/// # Errors
/// The response 400 to a text that is no number.
fn number(query: Option<&str>, name: &str) -> Result<Option<u64>, Box<Response<Full<Bytes>>>> {
    let pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    let mut given = pairs.filter(|(key, _)| key == name).map(|(_, value)| value);
    match given.next().map(|value| value.parse()) {
        None => Ok(None),
        Some(Ok(number)) if given.next().is_none() => Ok(Some(number)),
        Some(_) => {
            let message = format!("`{name}` must be one number");
            Err(Box::new(problem(StatusCode::BAD_REQUEST, "bad_request", &message)))
        }
    }
}
