//! The status page: what the management API knows, for a person with a browser.

mod attention;
mod document;
mod generations;
mod numbers;
mod parts;
mod served;
mod sign_in;
mod times;
mod verdict;
mod view;

use bytes::Bytes;
use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH, LOCATION, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use maud::Markup;

use crate::config::management_paths::serves_only_management;
use crate::host::Control;
use crate::management::page::view::View;
use crate::snapshot::Snapshot;

/// The style: the design that the page shares with that of the development control plane, then its own parts.
const STYLE: &str = concat!(include_str!("page/design.css"), include_str!("page/status.css"));

/// The script. Each file has one concept; together they are one request.
const SCRIPT: &str = concat!(
    include_str!("page/theme.js"),
    include_str!("page/times.js"),
    include_str!("page/token.js"),
    include_str!("page/live.js"),
    include_str!("page/act.js"),
);

/// The content security policy: nothing from elsewhere, no script or style in the HTML, no frame around the page. The icon
/// is a `data:` URL.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Returns whether `path` is the root of a network that serves nothing but the management API: it leads to the page.
pub(super) fn is_root(snapshot: &Snapshot, path: &str) -> bool {
    let config = snapshot.config.management.as_ref();
    path == "/" && config.is_some_and(|config| serves_only_management(config, &snapshot.config.pipelines))
}

/// Answers a request of a browser for the page or one of its files; `None` for every other request. `below` is the path
/// below the base path, and `refused` the status with which the guard refuses the request.
///
/// The files are the same for everybody, and a browser sends no token for them, so only a guard that no token satisfies
/// refuses them.
pub(super) fn answer<B>(
    request: &Request<B>,
    below: Option<&str>,
    snapshot: &Snapshot,
    control: &Control,
    refused: Option<StatusCode>,
) -> Option<Response<Full<Bytes>>> {
    let config = snapshot.config.management.as_ref()?;
    if !matches!(*request.method(), Method::GET | Method::HEAD)
        || refused.is_some_and(|status| status != StatusCode::UNAUTHORIZED)
    {
        return None;
    }
    let base = config.base_path.as_str();
    match below.map(|below| below.trim_matches('/')) {
        Some("page.css") => Some(file("text/css; charset=utf-8", STYLE)),
        Some("page.js") => Some(file("text/javascript; charset=utf-8", SCRIPT)),
        None | Some("") if !wants_html(request.headers()) => None,
        None => is_root(snapshot, request.uri().path()).then(|| to_page(base)),
        Some("") if refused.is_some() => Some(sign_in(base)),
        Some("") => Some(status(request, snapshot, control, base)),
        _ => None,
    }
}

/// Returns whether a client asks for HTML, as browsers do.
fn wants_html(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accepted.flat_map(|value| value.split(',')).any(|range| {
        range.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("text/html"))
    })
}

/// Answers with the page, or with 304 while the client shows it.
fn status<B>(
    request: &Request<B>,
    snapshot: &Snapshot,
    control: &Control,
    base: &str,
) -> Response<Full<Bytes>> {
    let status = control.status.read();
    let view = View::new(snapshot, &status, control.started.elapsed(), base, request.uri().query());
    let tag = view.tag();
    let known = request.headers().get(IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let mut response = match known == Some(tag.as_str()) {
        true => with_policy(StatusCode::NOT_MODIFIED, Full::default()),
        false => html(StatusCode::OK, document::status_page(&view)),
    };
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        response.headers_mut().insert(ETAG, tag);
    }
    response
}

/// Answers 401 with the page that asks for the token.
fn sign_in(base: &str) -> Response<Full<Bytes>> {
    let mut response = html(StatusCode::UNAUTHORIZED, sign_in::page(base));
    response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    response
}

/// Leads from the root of the network to the page.
fn to_page(base: &str) -> Response<Full<Bytes>> {
    let mut response = with_policy(StatusCode::TEMPORARY_REDIRECT, Full::default());
    if let Ok(location) = HeaderValue::from_str(&format!("/{base}/")) {
        response.headers_mut().insert(LOCATION, location);
    }
    response
}

fn html(status: StatusCode, page: Markup) -> Response<Full<Bytes>> {
    let mut response = with_policy(status, Full::from(page.into_string()));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    response
}

fn file(kind: &'static str, content: &'static str) -> Response<Full<Bytes>> {
    let mut response = with_policy(StatusCode::OK, Full::from(content));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    // Another version of the gateway has other files at the same address.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

/// Creates a response that browsers neither keep, nor frame, nor take for another type.
fn with_policy(status: StatusCode, body: Full<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    for (name, value) in [
        (HeaderName::from_static("content-security-policy"), POLICY),
        (HeaderName::from_static("x-content-type-options"), "nosniff"),
        (HeaderName::from_static("referrer-policy"), "no-referrer"),
        (CACHE_CONTROL, "no-store"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}
