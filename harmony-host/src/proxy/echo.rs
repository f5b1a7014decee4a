use std::collections::BTreeMap;

use http::header::{AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION};
use http::{HeaderName, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;

use crate::http::body::Body;
use crate::proxy::error::{ProxyError, json};
use crate::proxy::exchange::Passage;

/// How much of a body is sent back.
const SHOWN_BYTES: usize = 64 * 1024;

const SECRET: [HeaderName; 3] = [AUTHORIZATION, PROXY_AUTHORIZATION, COOKIE];

/// Answers a request with what arrived of it; what proves who somebody is stays here.
pub(crate) async fn answer(
    passage: &Passage<'_>,
    request: Request<Incoming>,
) -> Result<Response<Body>, ProxyError> {
    let (parts, mut body) = request.into_parts();
    let limit = passage.snapshot.config.proxy.max_body_size;
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
    let mesh = passage
        .mesh
        .as_ref()
        .map(|context| serde_json::json!({ "name": context.mesh.identity.name, "sender": &*context.sender }));
    let path = if passage.rest.is_empty() { "/" } else { &passage.rest };
    let echo = serde_json::json!({
        "pipeline": &*passage.route.pipeline.name,
        "endpoint": &*passage.route.endpoint,
        "ingress": passage.route.ingress.as_deref(),
        "mesh": mesh,
        "method": parts.method.as_str(),
        "path": path,
        "full_path": parts.uri.path(),
        "query": parts.uri.query(),
        "headers": headers,
        "body": String::from_utf8_lossy(&shown),
        "body_truncated": truncated,
    });
    Ok(json(StatusCode::OK, &echo))
}
