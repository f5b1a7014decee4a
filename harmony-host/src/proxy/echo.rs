//! The service `echo`.

use std::collections::BTreeMap;

use http::header::{AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION};
use http::{HeaderName, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;

use crate::http::body::Body;
use crate::http::respond::json;
use crate::proxy::error::ProxyError;
use crate::proxy::exchange::Exchange;

/// How much of a body is sent back.
const SHOWN_BYTES: usize = 64 * 1024;

const SECRET: [HeaderName; 3] = [AUTHORIZATION, PROXY_AUTHORIZATION, COOKIE];

/// Answers a request with what arrived of it; what proves who somebody is stays here.
pub(super) async fn answer(
    exchange: &Exchange<'_>,
    request: Request<Incoming>,
) -> Result<Response<Body>, ProxyError> {
    let (parts, mut body) = request.into_parts();
    let limit = exchange.snapshot.config.proxy.max_body_size;
    let mut shown = Vec::new();
    let mut truncated = false;
    let mut length = 0;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| ProxyError::BadRequest("the request body broke off"))?;
        let Some(data) = frame.data_ref() else { continue };
        length += data.len() as u64;
        if limit.is_some_and(|limit| length > limit) {
            return Err(ProxyError::BodyTooLarge);
        }
        let room = SHOWN_BYTES - shown.len();
        shown.extend_from_slice(&data[..data.len().min(room)]);
        if data.len() > room {
            truncated = true;
        }
        // Without a limit there is no reason to read what will not be shown.
        if truncated && limit.is_none() {
            break;
        }
    }
    let mut headers: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (name, value) in &parts.headers {
        let value = match SECRET.contains(name) {
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
        "body": String::from_utf8_lossy(&shown),
        "body_truncated": truncated,
    });
    Ok(json(StatusCode::OK, &echo).map(Body::from))
}
