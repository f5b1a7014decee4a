//! `GET explain?what=...`: the route of a URL, the resource of a reference, the value of a key.

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body_util::Full;
use serde_json::{Value, json};

use crate::diagnostics::redaction::redact;
use crate::explain::{Asked, Refusal, explain as explained};
use crate::host::Control;
use crate::http::query::parameter;
use crate::http::respond;
use crate::management::paths::claims;
use crate::snapshot::Snapshot;

/// Explains the text in the query.
pub(super) async fn explain(
    snapshot: &Snapshot,
    control: &Control,
    query: Option<&str>,
) -> Response<Full<Bytes>> {
    let what = query.and_then(|query| parameter(query, "what")).unwrap_or_default();
    let asked = Asked {
        snapshot,
        origins: &control.origins,
        journal: control.journal.get(),
        is_managed: &|network, path| claims(snapshot, network, path),
    };
    match explained(&asked, &what).await {
        Ok(explanation) => {
            let mut value = serde_json::to_value(&explanation).unwrap_or(Value::Null);
            // A value of the environment may be a part of a URL or a path.
            redact_in(&mut value);
            respond::json(StatusCode::OK, &value)
        }
        Err(Refusal { is_malformed, message, suggestions }) => {
            let (status, error) = match is_malformed {
                true => (StatusCode::BAD_REQUEST, "invalid"),
                false => (StatusCode::NOT_FOUND, "not_found"),
            };
            let mut value = json!({ "error": error, "message": message, "suggestions": suggestions });
            redact_in(&mut value);
            respond::json(status, &value)
        }
    }
}

/// Replaces the values of variables in all texts.
fn redact_in(value: &mut Value) {
    match value {
        Value::String(text) => *text = redact(text).into_owned(),
        Value::Array(items) => items.iter_mut().for_each(redact_in),
        Value::Object(members) => members.values_mut().for_each(redact_in),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
