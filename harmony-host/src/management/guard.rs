//! The guard of the management API: the check of the peer, the token, the Host and the origin of a request.

use std::net::IpAddr;

use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, ORIGIN};
use http::{HeaderMap, Request, StatusCode};
use http_body::Body;

use crate::config::Management;
use crate::http::authority::split_port;
use crate::http::claims::is_claim;

/// The header for management.token in a request whose bearer token belongs to a user.
pub(crate) const MANAGEMENT_TOKEN: &str = "Management-Token";

/// Returns whether the header [`MANAGEMENT_TOKEN`] holds management.token.
pub(super) fn holds_token(config: &Management, headers: &HeaderMap) -> bool {
    let mut given = headers.get_all(MANAGEMENT_TOKEN).iter();
    match (&config.token, given.next().and_then(|value| value.to_str().ok()), given.next()) {
        (Some(token), Some(given), None) => token.matches(given.trim()),
        _ => false,
    }
}

/// The parts of a request that the guard checks.
pub(super) struct GuardRequest<'a> {
    headers: &'a HeaderMap,
    authority: Option<&'a str>,
    peer: IpAddr,
    is_write: bool,
    has_body: bool,
}

impl<'a> GuardRequest<'a> {
    /// Returns the parts of `request`, which came from `peer`.
    pub(super) fn of<B: Body>(peer: IpAddr, request: &'a Request<B>) -> Self {
        Self {
            headers: request.headers(),
            authority: request.uri().authority().map(http::uri::Authority::as_str),
            peer,
            is_write: !request.method().is_safe(),
            has_body: !request.body().is_end_stream(),
        }
    }
}

/// The headers that the guard decides by. A server in front of this one may read another line of a repeated one.
const SINGLE: [&str; 6] =
    ["host", "origin", "sec-fetch-site", "content-type", "authorization", "management-token"];

/// Returns the name of a header that a request has more than once and may have once only.
pub(super) fn repeated_header(headers: &HeaderMap) -> Option<&'static str> {
    SINGLE.into_iter().find(|name| headers.get_all(*name).iter().nth(1).is_some())
}

/// Checks that a request to the management API is allowed.
///
/// * A peer on the loopback needs no token, unless it forwards for another client (Via, Forwarded and the like).
/// * Every other peer must send `management.token`, as a bearer token or in the header `Management-Token`; without a configured token the guard rejects it.
/// * Without the token the Host must be an IP address or `localhost`. This stops DNS rebinding: a web page that points
///   its own name to this machine sends that name as the Host.
/// * The guard rejects a write that a browser sends from another site, or as a form (cross-site request forgery).
///
/// # Errors
/// The status and the reason of the rejection.
pub(super) fn check(
    config: &Management,
    request: &GuardRequest<'_>,
) -> Result<(), (StatusCode, &'static str)> {
    let token = request
        .headers
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok()?.split_once(' '))
        .and_then(|(scheme, token)| scheme.eq_ignore_ascii_case("bearer").then_some(token));
    let authenticated = match (&config.token, token) {
        (Some(token), Some(given)) if token.matches(given.trim()) => true,
        _ => holds_token(config, request.headers),
    };
    if !authenticated {
        if !is_local(request) {
            return Err(match config.token {
                Some(_) => (StatusCode::UNAUTHORIZED, "send management.token as a bearer token"),
                None => (
                    StatusCode::FORBIDDEN,
                    "only peers on the loopback may use the management API while management.token is not configured",
                ),
            });
        }
        if !is_host_trusted(request) {
            return Err((StatusCode::FORBIDDEN, "the Host header must be an IP address or localhost"));
        }
    }
    if request.is_write {
        check_origin(request)?;
    }
    Ok(())
}

/// Returns whether the client is on this machine, and not behind a proxy on it.
fn is_local(request: &GuardRequest<'_>) -> bool {
    let is_forwarded = request.headers.keys().any(|name| is_claim(name.as_str()));
    request.peer.to_canonical().is_loopback() && !is_forwarded
}

/// Returns whether the Host is an IP address or `localhost`.
fn is_host_trusted(request: &GuardRequest<'_>) -> bool {
    let host = request.authority.or_else(|| request.headers.get(HOST)?.to_str().ok());
    let Some(host) = host else { return false };
    let Some((host, _)) = split_port(host) else { return false };
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok()
}

/// Checks that a write does not come from another site or from an HTML form.
fn check_origin(request: &GuardRequest<'_>) -> Result<(), (StatusCode, &'static str)> {
    let text = |name: &str| request.headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let cross_site = text("sec-fetch-site").is_some_and(|site| !matches!(site, "same-origin" | "none"));
    let host = request.authority.or_else(|| text(HOST.as_str()));
    let is_foreign =
        text(ORIGIN.as_str()).is_some_and(|origin| origin.split_once("://").map(|(_, host)| host) != host);
    if cross_site || is_foreign {
        return Err((StatusCode::FORBIDDEN, "cross-site requests are rejected"));
    }
    // A form cannot send application/json without a CORS preflight, which this API does not answer.
    let is_json = text(CONTENT_TYPE.as_str()).is_some_and(|kind| {
        kind.split(';').next().is_some_and(|k| k.trim().eq_ignore_ascii_case("application/json"))
    });
    let has_type = request.headers.contains_key(CONTENT_TYPE);
    if (request.has_body || has_type) && !is_json {
        return Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, "expected Content-Type: application/json"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use http::HeaderName;
    use provider_api::Secret;

    use super::*;
    use crate::diagnostics::source::{Place, Source, Spanned};

    fn status_of(token: Option<&str>, peer: &str, is_write: bool, headers: &[(&str, &str)]) -> u16 {
        let network = Spanned::new("m".to_owned(), Place::new(&Source::new("config.toml", ""), 0..0));
        let config = Management { base_path: "admin".to_owned(), network, token: token.map(Secret::new) };
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        }
        let request = GuardRequest {
            headers: &map,
            authority: None,
            peer: peer.parse().unwrap(),
            is_write,
            has_body: false,
        };
        check(&config, &request).map_or_else(|(status, _)| status.as_u16(), |()| 200)
    }

    const TOKEN: &str = "0123456789abcdef0123456789abcdef";

    #[test]
    fn only_the_loopback_needs_no_token() {
        let host = ("host", "127.0.0.1:9090");
        assert_eq!(status_of(None, "127.0.0.1", false, &[host]), 200);
        assert_eq!(status_of(None, "::ffff:127.0.0.1", false, &[host]), 200);
        assert_eq!(status_of(None, "10.0.0.7", false, &[host]), 403);
        assert_eq!(status_of(Some(TOKEN), "10.0.0.7", false, &[host]), 401);
        let bearer = format!("Bearer {TOKEN}");
        assert_eq!(status_of(Some(TOKEN), "10.0.0.7", false, &[host, ("authorization", &bearer)]), 200);
        assert_eq!(status_of(Some(TOKEN), "10.0.0.7", false, &[host, ("authorization", "Bearer x")]), 401);
    }

    #[test]
    fn proxied_requests_are_not_local() {
        for header in [("via", "1.1 harmony"), ("x-forwarded-for", "127.0.0.1"), ("forwarded", "for=::1")] {
            assert_eq!(status_of(None, "127.0.0.1", false, &[("host", "localhost"), header]), 403);
        }
    }

    #[test]
    fn rebound_host_is_rejected() {
        assert_eq!(status_of(None, "127.0.0.1", false, &[("host", "evil.example:9090")]), 403);
        assert_eq!(status_of(None, "127.0.0.1", false, &[("host", "[::1]:9090")]), 200);
        assert_eq!(status_of(None, "127.0.0.1", false, &[]), 403);
    }

    #[test]
    fn cross_site_and_form_posts_are_rejected() {
        let host = ("host", "localhost:9090");
        assert_eq!(status_of(None, "127.0.0.1", true, &[host]), 200);
        assert_eq!(status_of(None, "127.0.0.1", true, &[host, ("origin", "https://evil.example")]), 403);
        assert_eq!(status_of(None, "127.0.0.1", true, &[host, ("origin", "null")]), 403);
        assert_eq!(status_of(None, "127.0.0.1", true, &[host, ("origin", "http://localhost:9090")]), 200);
        assert_eq!(status_of(None, "127.0.0.1", true, &[host, ("sec-fetch-site", "cross-site")]), 403);
        assert_eq!(status_of(None, "127.0.0.1", true, &[host, ("content-type", "text/plain")]), 415);
        assert_eq!(
            status_of(None, "127.0.0.1", true, &[host, ("content-type", "application/json; charset=utf-8")]),
            200
        );
    }
}
