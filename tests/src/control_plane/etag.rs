use bytes::Bytes;
use http::StatusCode;
use http::header::{CACHE_CONTROL, ETAG, IF_NONE_MATCH};
use serde_json::Value;

use super::answer::{Answer, Outcome};
use super::call::Call;

/// An answer with an ETag; 304 to who has it already.
pub(super) fn answer(call: &Call, body: Value, max_age: Option<u32>) -> Outcome {
    let mut answer = Answer::json(StatusCode::OK, &body);
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &answer.body);
    let hex: String = digest.as_ref()[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    let tag = format!("\"{hex}\"");
    let known = call.header(IF_NONE_MATCH).unwrap_or_default();
    if known.split(',').any(|known| known.trim().trim_start_matches("W/") == tag) {
        answer.status = StatusCode::NOT_MODIFIED;
        answer.headers.clear();
        answer.body = Bytes::new();
    }
    answer = answer.with(ETAG, &tag);
    Ok(match max_age {
        Some(seconds) => answer.with(CACHE_CONTROL, &format!("public, max-age={seconds}")),
        None => answer,
    })
}
