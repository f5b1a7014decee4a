//! The status page: what the management API knows, for a person with a browser.

pub(super) mod api;
mod attention;
mod clean;
mod document;
mod explanation;
mod generations;
mod numbers;
mod parts;
mod pause;
mod samples;
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

use crate::config::management_paths::is_alone;
use crate::host::Control;
use crate::management::page::api::Api;
use crate::management::page::view::View;
use crate::snapshot::Snapshot;

pub(super) use samples::Samples;

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

/// A request of a browser for the page or one of its files.
#[derive(Debug)]
pub(super) enum Question {
    Style,
    Script,
    /// The root of the network, which leads to the page.
    Root,
    /// The page, for somebody who needs the token.
    SignIn,
    /// The page, with the query string and the tag of the one that is shown.
    Status(Option<String>, Option<HeaderValue>),
}

impl Question {
    /// Returns the question; `None` for every other request. `below` is the path below the base path, and `refused` the
    /// status with which the guard refuses the request.
    ///
    /// The files are the same for everybody, and a browser sends no token for them, so only a guard that no token satisfies
    /// refuses them.
    pub(super) fn of<B>(
        request: &Request<B>,
        below: Option<&str>,
        snapshot: &Snapshot,
        refused: Option<StatusCode>,
    ) -> Option<Self> {
        if !matches!(*request.method(), Method::GET | Method::HEAD)
            || refused.is_some_and(|status| status != StatusCode::UNAUTHORIZED)
        {
            return None;
        }
        match below.map(|below| below.trim_matches('/')) {
            Some("page.css") => Some(Self::Style),
            Some("page.js") => Some(Self::Script),
            None | Some("") if !wants_html(request.headers()) => None,
            None => is_root(snapshot, request.uri().path()).then_some(Self::Root),
            Some("") if refused.is_some() => Some(Self::SignIn),
            Some("") => {
                let query = request.uri().query().map(str::to_owned);
                Some(Self::Status(query, request.headers().get(IF_NONE_MATCH).cloned()))
            }
            _ => None,
        }
    }
}

/// Returns whether `path` is the root of a network that serves nothing but the management API: it leads to the page.
pub(super) fn is_root(snapshot: &Snapshot, path: &str) -> bool {
    let config = snapshot.config.management.as_ref();
    path == "/" && config.is_some_and(|config| is_alone(config, &snapshot.config.pipelines))
}

/// Returns whether a client asks for HTML, as browsers do.
fn wants_html(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accepted.flat_map(|value| value.split(',')).any(|range| {
        range.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("text/html"))
    })
}

/// The sources of what the page shows, beside the snapshot.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sources<'a> {
    pub(super) control: &'a Control,
    pub(super) samples: &'a Samples,
    pub(super) api: &'a dyn Api,
}

/// Answers a question about the page.
pub(super) async fn answer(
    question: Question,
    snapshot: &Snapshot,
    sources: Sources<'_>,
) -> Response<Full<Bytes>> {
    let base = snapshot.config.management.as_ref().map_or("", |config| &config.base_path);
    match question {
        Question::Style => file("text/css; charset=utf-8", STYLE),
        Question::Script => file("text/javascript; charset=utf-8", SCRIPT),
        Question::Root => to_page(base),
        Question::SignIn => sign_in(base),
        Question::Status(query, known) => {
            let numbers = sources.samples.take(sources.api).await;
            let mut view = View::new(snapshot, sources.control, base, query.as_deref(), numbers);
            let tag = HeaderValue::from_str(&view.tag()).ok();
            let mut response = match known.is_some() && known == tag {
                true => with_policy(StatusCode::NOT_MODIFIED, Full::default()),
                false => {
                    view.read(sources.api).await;
                    html(StatusCode::OK, document::status_page(&view))
                }
            };
            tag.map(|tag| response.headers_mut().insert(ETAG, tag));
            response
        }
    }
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
