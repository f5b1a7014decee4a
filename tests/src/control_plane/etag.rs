//! Conditional responses with ETags.

use bytes::Bytes;
use http::StatusCode;
use http::header::{CACHE_CONTROL, ETAG, IF_NONE_MATCH};
use serde_json::Value;

use super::call::Call;
use super::response::{ApiResponse, ApiResult};

/// Responds with an ETag, or with 304 if the client has the same version (RFC 9110, section 13.1.2).
pub(super) fn respond(call: &Call, body: Value, max_age: Option<u32>) -> ApiResult {
    let mut response = ApiResponse::json(StatusCode::OK, &body);
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &response.body);
    let hex: String = digest.as_ref()[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    let tag = format!("\"{hex}\"");
    let known = call.header(IF_NONE_MATCH).unwrap_or_default();
    if known.split(',').any(|known| known.trim().trim_start_matches("W/") == tag) {
        response.status = StatusCode::NOT_MODIFIED;
        response.headers.clear();
        response.body = Bytes::new();
    }
    response = response.with(ETAG, &tag);
    Ok(match max_age {
        Some(seconds) => response.with(CACHE_CONTROL, &format!("public, max-age={seconds}")),
        None => response,
    })
}
