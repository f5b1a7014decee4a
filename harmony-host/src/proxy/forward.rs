//! Forwarding of a request to an HTTP backend, with retries.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::uri::PathAndQuery;
use http::{HeaderMap, Request, Response, StatusCode, Uri, Version};

use crate::http::body::{Body, with_idle_timeout};
use crate::http::limits::MAX_HEADERS;
use crate::http::query::escaped;
use crate::http::upload::Upload;
use crate::metrics::Record;
use crate::plan::{BaseUrl, HttpUpstream};
use crate::proxy::backend_failure;
use crate::proxy::error::ProxyError;
use crate::proxy::exchange::Exchange;
use crate::proxy::headers::{Sender, Trust, append_via, is_plainly_framed, merge_lengths, remove_hop_by_hop};
use crate::proxy::outgoing::Outgoing;
use crate::proxy::pool::{BackendBody, Pool, Server, Suspect};
use crate::proxy::upgrade::{Asked, Tunnels, unasked};
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
    request.body().set_limit(exchange.snapshot.config.proxy.max_body_size);
    request.body().remove_idle_timeout();
    if request.body().too_large() {
        return Err(ProxyError::BodyTooLarge);
    }
    let sender = Sender {
        peer: &exchange.connection.forwarded,
        authority: &exchange.authority,
        prefix: &exchange.admitted.taken,
        trust: trust(exchange),
    };
    let bases = upstream.base_urls(&exchange.snapshot.providers).await?;
    let urls = bases.as_slice();
    let (mut attempt, mut stale) = (0, 0);
    loop {
        let base = &urls[attempt as usize % urls.len()];
        let authorization = upstream
            .authorization(&bases, base, exchange.admitted.rest(), &exchange.snapshot.providers)
            .await?;
        let upload = request.body();
        let sent_at = record.attempt(|| base.origin());
        let outgoing = Outgoing {
            request,
            identity: record.identity(),
            sender,
            base,
            target: target(base, exchange.admitted.rest(), request.uri())?,
            authorization,
            protocol: asked.as_ref().map(Asked::protocol),
        };
        let (authorities, is_upgrade) = (upstream.authorities.as_ref(), asked.is_some());
        let (server, suspect) = (Server { base, authorities, is_upgrade }, Suspect::default());
        let mut timer = exchange.connection.timer.take();
        let sent = {
            let sending = std::pin::pin!(pool.send(&outgoing, &server, &suspect));
            with_idle_timeout(sending, upstream.timeout, &mut timer, sent_at, || upload.progress()).await
        };
        exchange.connection.timer.put(timer);
        let mut tried = backend_failure::Asked { exchange, upstream, base, record };
        let error = match sent {
            Ok(Ok(response)) if response.status() == StatusCode::SWITCHING_PROTOCOLS => {
                let Some(asked) = asked else { return Err(unasked(tried)) };
                let accepted = asked.accept(response, tried, &exchange.connection.tunnel)?;
                record.answered(sent_at, accepted.status().as_u16());
                return Ok(accepted);
            }
            Ok(Ok(response)) => {
                let response = client_response(response, tried)?;
                record.answered(sent_at, response.status().as_u16());
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
        let is_repeatable = request.method().is_idempotent() && upload.is_empty();
        // What was read of the body must be kept, to be sent again.
        if !(error.is_unprocessed() || is_repeatable)
            || !(is_stale || attempt < upstream.max_retries)
            || !request.body_mut().rewind()
        {
            return Err(backend_failure::Asked { exchange, upstream, base, record }.failed(&error));
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

/// Returns the path of `rest` below `base`, and the query of the URI that the client has sent.
fn target<'a>(base: &BaseUrl, rest: &str, sent: &'a Uri) -> Result<Cow<'a, PathAndQuery>, ProxyError> {
    let query = sent.query().map(escaped);
    let is_path_kept = base.path.is_empty() && rest == sent.path() && !rest.starts_with("//");
    if is_path_kept
        && !matches!(query, Some(Cow::Owned(_)))
        // In a whole URL the path may be left out, and is `/` all the same.
        && sent.authority().is_none()
        && let Some(kept) = sent.path_and_query()
    {
        return Ok(Cow::Borrowed(kept));
    }
    let mut path = base.join(rest);
    if let Some(query) = query {
        path.push('?');
        path.push_str(&query);
    }
    let path = PathAndQuery::try_from(path);
    path.map(Cow::Owned).map_err(|_| ProxyError::BadRequest("the path cannot be forwarded"))
}

/// Converts the response of a backend to the response for the client. The timeout limits a gap in its body.
///
/// # Errors
/// `BadGateway` for a transfer coding that the gateway does not decode.
fn client_response(
    response: Response<BackendBody>,
    mut sent: backend_failure::Asked<'_>,
) -> Result<Response<Body>, ProxyError> {
    let (mut parts, body) = response.into_parts();
    if matches!(body, BackendBody::Http2(_)) {
        clean(&mut parts.headers, &mut sent)?;
        append_via(&mut parts.headers, parts.version);
    }
    parts.version = Version::default();
    let traffic = || Arc::clone(&sent.exchange.admitted.route.pipeline.traffic);
    let body = match body {
        BackendBody::Whole(bytes) => Body::Full(bytes),
        body => Body::streaming(Box::new(body), traffic(), sent.upstream.timeout),
    };
    Ok(Response::from_parts(parts, body))
}

/// Checks the headers of a response over HTTP/2, and removes those that are not for the client. Those of HTTP/1 are checked when
/// they are read (`pool/answer_head`).
///
/// # Errors
/// `BadGateway` for too many headers, or a transfer coding.
fn clean(headers: &mut HeaderMap, sent: &mut backend_failure::Asked<'_>) -> Result<(), ProxyError> {
    if headers.len() > MAX_HEADERS {
        return Err(sent.invalid(&format!("sent more than {MAX_HEADERS} headers")));
    }
    if !is_plainly_framed(headers) {
        return Err(sent.invalid("sent a transfer coding that it was not asked for"));
    }
    // hyper checks no length where there is no body, as in the response to a HEAD.
    if headers.contains_key(TRANSFER_ENCODING) || merge_lengths(headers).is_err() {
        headers.remove(CONTENT_LENGTH);
    }
    remove_hop_by_hop(headers);
    Ok(())
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
            let sent = sent.parse().unwrap();
            assert_eq!(target(&base(url), rest, &sent).unwrap().as_str(), expected);
        }
    }

    #[test]
    fn backoff_is_at_most_320_ms() {
        for attempt in 0..10 {
            assert!(backoff(attempt) <= Duration::from_millis(320));
        }
    }
}
