//! The backend service `echo`, which answers with the request.

use std::collections::BTreeMap;

use http::header::{AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION};
use http::{HeaderName, Request, Response, StatusCode};
use http_body_util::BodyExt as _;

use crate::http::body::Body;
use crate::http::respond::json;
use crate::http::upload::{Upload, UploadError};
use crate::proxy::error::ProxyError;
use crate::proxy::exchange::Exchange;

/// The maximum number of body bytes in the response.
const MAX_ECHOED_BYTES: usize = 64 * 1024;

/// The request headers whose values the response hides.
const SECRET_HEADERS: [HeaderName; 3] = [AUTHORIZATION, PROXY_AUTHORIZATION, COOKIE];

/// Returns a response that describes the request in JSON, with the values of credentials redacted.
///
/// # Errors
/// A body that is too large or ends early.
pub(super) async fn answer(
    exchange: &Exchange<'_>,
    request: Request<Upload>,
) -> Result<Response<Body>, ProxyError> {
    let (parts, mut body) = request.into_parts();
    let limit = exchange.snapshot.config.proxy.max_body_size;
    let mut echoed = Vec::new();
    let mut truncated = false;
    body.set_limit(limit);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| match error.downcast_ref() {
            Some(UploadError::TooLarge) => ProxyError::BodyTooLarge,
            Some(UploadError::Stalled) => ProxyError::RequestTimeout,
            _ => ProxyError::BadRequest("the request body ended early"),
        })?;
        let Some(data) = frame.data_ref() else { continue };
        let room = MAX_ECHOED_BYTES - echoed.len();
        echoed.extend_from_slice(&data[..data.len().min(room)]);
        if data.len() > room {
            truncated = true;
        }
        // Without a size limit the rest of the body does not affect the response, so it is not read.
        if truncated && limit.is_none() {
            break;
        }
    }
    let mut headers: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (name, value) in &parts.headers {
        let value = match SECRET_HEADERS.contains(name) {
            true => "[redacted]".to_owned(),
            false => String::from_utf8_lossy(value.as_bytes()).into_owned(),
        };
        headers.entry(name.as_str()).or_default().push(value);
    }
    let admitted = &exchange.admitted;
    let mesh = admitted.mesh();
    let mesh = mesh.map(|mesh| serde_json::json!({ "name": mesh.mesh(), "sender": mesh.sender() }));
    let path = if admitted.rest().is_empty() { "/" } else { admitted.rest() };
    let echo = serde_json::json!({
        "pipeline": admitted.pipeline(),
        "endpoint": admitted.endpoint(),
        "ingress": admitted.ingress(),
        "mesh": mesh,
        "method": parts.method.as_str(),
        "path": path,
        "full_path": parts.uri.path(),
        "query": parts.uri.query(),
        "headers": headers,
        "body": String::from_utf8_lossy(&echoed),
        "body_truncated": truncated,
    });
    Ok(json(StatusCode::OK, &echo).map(Body::from))
}
