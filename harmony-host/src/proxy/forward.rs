//! Forwarding of a request to an HTTP backend, with retries.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use http::header::{AUTHORIZATION, CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderValue, Request, Response, StatusCode, Uri, Version};

use crate::http::body::{Body, with_idle_timeout};
use crate::http::limits::MAX_HEADERS;
use crate::http::query::escaped;
use crate::http::upload::Upload;
use crate::metrics::Record;
use crate::plan::{BaseUrl, HttpUpstream};
use crate::proxy::backend_failure;
use crate::proxy::error::ProxyError;
use crate::proxy::exchange::Exchange;
use crate::proxy::headers::{
    Sender, Trust, append_via, is_plainly_framed, merge_lengths, prepare_request, remove_hop_by_hop,
};
use crate::proxy::pool::{BackendBody, Pool, Server, Suspect};
use crate::proxy::upgrade::{Tunnels, unasked};
use crate::snapshot::MeshDenial;

/// The number of kept connections that may end under one request without an answer. A server that ends each after some requests
/// leaves many of those that came together unprocessed, again and again.
const MAX_STALE: u32 = 16;

/// The same, where the server may have begun to process the request, and its method is idempotent.
const MAX_BROKEN: u32 = 3;

/// Sends a request to the backend and returns its response. Both bodies are streams. A request is repeated if the backend has
/// certainly not processed it, or its method is idempotent (RFC 9110, section 9.2.2) and it has no body.
///
/// # Errors
/// A body that is too large or stops, a provider that fails, or a backend that is unreachable or silent.
pub(super) async fn forward(
    pool: &Pool,
    tunnels: &Tunnels,
    upstream: &HttpUpstream,
    exchange: &Exchange<'_>,
    request: &mut Request<Upload>,
    record: &mut Record,
) -> Result<Response<Body>, ProxyError> {
    if upstream.mesh_only && exchange.admitted.mesh().is_none() {
        return Err(ProxyError::NoMeshContext(MeshDenial::of_egress(upstream.refusal())));
    }
    let asked = tunnels.asked(request, upstream)?;
    let (mut parts, mut upload) = std::mem::take(request).into_parts();
    upload.set_limit(exchange.snapshot.config.proxy.max_body_size);
    upload.remove_idle_timeout();
    if upload.too_large() {
        return Err(ProxyError::BodyTooLarge);
    }
    let version = parts.version;
    let sender = Sender {
        peer: &exchange.connection.forwarded,
        authority: &exchange.authority,
        prefix: &exchange.admitted.taken,
        trust: trust(exchange),
    };
    prepare_request(&mut parts.headers, version, &sender);
    record.identity().put(&mut parts.headers);
    if let Some(asked) = &asked {
        asked.prepare(&mut parts.headers);
    }
    let bases = upstream.base_urls(&exchange.snapshot.providers).await?;
    let urls = bases.as_slice();
    let (mut attempt, mut stale) = (0, 0);
    loop {
        let base = &urls[attempt as usize % urls.len()];
        let authorization = upstream
            .authorization(&bases, base, exchange.admitted.rest(), &exchange.snapshot.providers)
            .await?;
        let request = backend_request(&parts, base, authorization, exchange, upload.clone())?;
        let (authorities, is_upgrade) = (upstream.authorities.as_ref(), asked.is_some());
        let (server, suspect) = (Server { base, authorities, is_upgrade }, Suspect::default());
        let sent_at = record.attempt(|| base.origin());
        let sending = std::pin::pin!(pool.send(request, &server, &suspect));
        let mut timer = exchange.connection.timer.take();
        let sent = with_idle_timeout(sending, upstream.timeout, &mut timer, || upload.progress()).await;
        exchange.connection.timer.put(timer);
        let tried = backend_failure::Asked { exchange, upstream, record };
        let error = match sent {
            Ok(Ok(response)) if response.status() == StatusCode::SWITCHING_PROTOCOLS => {
                let asked = asked.ok_or_else(|| unasked(tried))?;
                let accepted = asked.accept(response, tried, &exchange.connection.tunnel)?;
                record.answered(sent_at);
                return Ok(accepted);
            }
            Ok(Ok(response)) => {
                let response = client_response(response, tried)?;
                record.answered(sent_at);
                return Ok(response);
            }
            Ok(Err(error)) => error,
            Err(()) if upload.waits_for_client() => return Err(ProxyError::RequestTimeout),
            Err(()) => {
                suspect.retire();
                return Err(tried.silent());
            }
        };
        if upload.exceeded_limit() {
            return Err(ProxyError::BodyTooLarge);
        }
        if upload.is_broken() {
            return Err(ProxyError::BadRequest("the request body is no valid HTTP, or ended early"));
        }
        record.failed(error.fault());
        if error.is_no_place() {
            pool.log_no_place();
            return Err(ProxyError::Overloaded);
        }
        let most = if error.is_unprocessed() { MAX_STALE } else { MAX_BROKEN };
        let is_stale = error.is_stale() && stale < most;
        let is_repeatable = parts.method.is_idempotent() && upload.is_empty();
        // What was read of the body must be kept, to be sent again.
        if !(error.is_unprocessed() || is_repeatable)
            || !(is_stale || attempt < upstream.max_retries)
            || !upload.rewind()
        {
            return Err(backend_failure::Asked { exchange, upstream, record }.failed(&error));
        }
        if is_stale {
            // The server has closed the connection since the request before: that was no answer to this one.
            stale += 1;
            continue;
        }
        Box::pin(tokio::time::sleep(backoff(attempt))).await;
        attempt += 1;
    }
}

/// Returns how far the headers of the client about others are believed.
fn trust(exchange: &Exchange<'_>) -> Trust {
    let proxies = &exchange.snapshot.config.proxy.trusted_proxies;
    match proxies.contains(exchange.connection.peer.ip()) {
        true => Trust::Proxy,
        false if proxies.is_empty() => Trust::Chains,
        false => Trust::Nobody,
    }
}

/// Creates the request to `base`, with the mesh token `authorization` if the destination is a member of a mesh.
fn backend_request(
    parts: &Parts,
    base: &BaseUrl,
    authorization: Option<HeaderValue>,
    exchange: &Exchange<'_>,
    upload: Upload,
) -> Result<Request<Upload>, ProxyError> {
    let uri = uri(base, exchange.admitted.rest(), &parts.uri)?;
    let mut request = Request::new(upload);
    *request.method_mut() = parts.method.clone();
    *request.version_mut() = Version::HTTP_11;
    *request.headers_mut() = parts.headers.clone();
    request.headers_mut().insert(HOST, base.host.clone());
    if !request.body().is_empty() && !request.headers().contains_key(CONTENT_LENGTH) {
        // hyper drops the body of a GET that has neither header.
        request.headers_mut().insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    }
    if let Some(authorization) = authorization {
        request.headers_mut().insert(AUTHORIZATION, authorization);
    }
    *request.uri_mut() = uri;
    Ok(request)
}

/// Returns the path of `rest` below `base`, and the query of the URI that the client has sent.
fn uri(base: &BaseUrl, rest: &str, sent: &Uri) -> Result<Uri, ProxyError> {
    let query = sent.query().map(escaped);
    let is_path_kept = base.path.is_empty() && rest == sent.path() && !rest.starts_with("//");
    if is_path_kept
        && !matches!(query, Some(Cow::Owned(_)))
        // In a whole URL the path may be left out, and is `/` all the same.
        && sent.authority().is_none()
        && let Some(kept) = sent.path_and_query()
    {
        return Ok(Uri::from(kept.clone()));
    }
    let mut path = base.join(rest);
    if let Some(query) = query {
        path.push('?');
        path.push_str(&query);
    }
    let path =
        PathAndQuery::try_from(path).map_err(|_| ProxyError::BadRequest("the path cannot be forwarded"))?;
    Ok(Uri::from(path))
}

/// Converts the response of a backend to the response for the client. The timeout limits a gap in its body.
///
/// # Errors
/// `BadGateway` for a transfer coding that the gateway does not decode.
fn client_response(
    response: Response<BackendBody>,
    sent: backend_failure::Asked<'_>,
) -> Result<Response<Body>, ProxyError> {
    let (mut parts, body) = response.into_parts();
    if parts.headers.len() > MAX_HEADERS {
        return Err(sent.invalid(&format!("sent more than {MAX_HEADERS} headers")));
    }
    // Transfer-Encoding is hop-by-hop: the client would get the coded body without the header that names the coding.
    if !is_plainly_framed(&parts.headers) {
        return Err(sent.invalid("sent a transfer coding that it was not asked for"));
    }
    // RFC 9112, section 6.3: Transfer-Encoding overrides Content-Length. A client that saw the length would cut the body
    // there. hyper checks no length where there is no body, as in the response to a HEAD.
    if parts.headers.contains_key(TRANSFER_ENCODING) || merge_lengths(&mut parts.headers).is_err() {
        parts.headers.remove(CONTENT_LENGTH);
    }
    remove_hop_by_hop(&mut parts.headers);
    append_via(&mut parts.headers, parts.version);
    parts.version = Version::default();
    parts.extensions.clear();
    Ok(Response::from_parts(
        parts,
        Body::streaming(
            Box::new(body),
            Arc::clone(&sent.exchange.admitted.route.pipeline.traffic),
            sent.upstream.timeout,
        ),
    ))
}

/// Returns the backoff before the next attempt: 20, 40, 80, ... up to 320 ms, minus a random jitter of up to half.
fn backoff(attempt: u32) -> Duration {
    Duration::from_millis(20 << attempt.min(4)).mul_f64(fastrand::f64().mul_add(0.5, 0.5))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(url: &str) -> BaseUrl {
        BaseUrl::new(&url::Url::parse(url).unwrap()).unwrap()
    }

    #[test]
    fn paths_are_joined_with_one_slash() {
        for (url, rest, sent, expected) in [
            ("http://a", "", "/", "/"),
            ("http://a/", "/x", "/x?q=1", "/x?q=1"),
            ("http://a/", "/x", "/y/x?q=1", "/x?q=1"),
            ("http://a/", "/x", "/x?q={1}", "/x?q=%7B1%7D"),
            ("http://a/", "//x", "//x", "/x"),
            ("http://a/r4/", "/Patient/", "/Patient/", "/r4/Patient/"),
            ("http://a:81/r4", "", "/?q", "/r4?q"),
            ("https://[::1]:8443/b", "x", "/x", "/b/x"),
            ("http://a/", "/x", "http://b/x?q", "/x?q"),
            ("http://a/", "/", "http://b", "/"),
            ("http://a/", "/", "http://b?q", "/?q"),
            ("http://a/", "/", "http://b#part", "/"),
        ] {
            assert_eq!(uri(&base(url), rest, &sent.parse().unwrap()).unwrap().to_string(), expected);
        }
    }

    #[test]
    fn backoff_is_at_most_320_ms() {
        for attempt in 0..10 {
            assert!(backoff(attempt) <= Duration::from_millis(320));
        }
    }
}
