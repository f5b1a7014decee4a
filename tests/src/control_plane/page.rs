//! The page for the browser: its HTML, its files, and its own calls below `/dev`.

mod calls;
mod document_list;
mod editor;
mod frame;
mod gateways;
mod index;
mod login;
mod parts;
mod settings;
mod timeline;
mod view;

use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, HOST, HeaderName, IF_NONE_MATCH, ORIGIN};
use http::{Method, StatusCode};
use maud::Markup;
use url::Url;

use self::view::View;
use super::call::Call;
use super::core::Core;
use super::response::{ApiError, ApiResponse, ApiResult};

/// The design of the gateway's status page, and what only this page has.
const STYLE: &str = concat!(
    include_str!("../../../harmony-host/src/management/page/design.css"),
    include_str!("page/control-plane.css"),
);

/// The scripts that this page shares with the status page, and its own.
const SCRIPT: &str = concat!(
    include_str!("../../../harmony-host/src/management/page/theme.js"),
    include_str!("../../../harmony-host/src/management/page/times.js"),
    include_str!("../../../harmony-host/src/management/page/live.js"),
    include_str!("../../../harmony-host/src/management/page/act.js"),
    include_str!("page/drafts.js"),
    include_str!("page/editor.js"),
);

/// The content security policy: nothing from other origins, no script or style in the HTML, no embedding in frames.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Returns whether a route is read by an open page again and again.
pub(super) fn is_polled(route: &str) -> bool {
    route.starts_with("/dev/") || matches!(route, "/" | "/page.css" | "/page.js")
}

/// Answers with the page, or with 304 while the browser shows it.
pub(super) fn index(core: &Core, call: &Call) -> ApiResult {
    check_same_machine(call)?;
    let state = core.state();
    let view = View::new(&state, &core.url, call);
    let tag = view.tag(core.revision());
    let response = match call.header(IF_NONE_MATCH) == Some(tag.as_str()) {
        true => with_policy(ApiResponse::new(StatusCode::NOT_MODIFIED, "text/html; charset=utf-8", "")),
        false => html(index::page(&view)),
    };
    Ok(response.with(ETAG, &tag))
}

/// Answers with the page that approves a login of the command line.
pub(super) fn login(core: &Core, device_token: &str) -> ApiResult {
    let state = core.state();
    match state.logins.iter().any(|login| login.device_token == device_token) {
        true => Ok(html(login::page(&state, device_token))),
        false => Err(ApiError::not_found("there is no such login")),
    }
}

pub(super) fn style() -> ApiResult {
    Ok(with_policy(ApiResponse::new(StatusCode::OK, "text/css; charset=utf-8", STYLE)))
}

pub(super) fn script() -> ApiResult {
    Ok(with_policy(ApiResponse::new(StatusCode::OK, "text/javascript; charset=utf-8", SCRIPT)))
}

/// Handles the page's own calls. They need no token, so only browsers on this machine may make them.
pub(super) fn handle(core: &Core, call: &Call, path: &[&str]) -> ApiResult {
    check_same_machine(call)?;
    calls::handle(core, call, path)
}

fn html(page: Markup) -> ApiResponse {
    with_policy(ApiResponse::new(StatusCode::OK, "text/html; charset=utf-8", page.into_string()))
}

fn with_policy(response: ApiResponse) -> ApiResponse {
    response
        .with(HeaderName::from_static("content-security-policy"), POLICY)
        .with(HeaderName::from_static("x-content-type-options"), "nosniff")
        .with(CACHE_CONTROL, "no-store")
}

/// Rejects requests that another site's page can make a browser send: DNS rebinding (`Host`), cross-site requests
/// (`Origin`) and forms (no JSON content type).
fn check_same_machine(call: &Call) -> Result<(), ApiError> {
    let loopback = |url: &str| {
        let host = Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned));
        host.is_some_and(|host| matches!(host.as_str(), "localhost" | "127.0.0.1" | "[::1]"))
    };
    let host = call.header(HOST).unwrap_or_default();
    if !loopback(&format!("http://{host}/")) {
        return Err(ApiError::forbidden(
            "the page is for this machine only: `Host` must be a loopback address",
        ));
    }
    let origin = call.headers.get(ORIGIN).map(|origin| origin.to_str().unwrap_or_default());
    if origin.is_some_and(|origin| origin != format!("http://{host}")) {
        return Err(ApiError::forbidden("requests from another site are not allowed"));
    }
    if call.method == Method::POST && call.headers.get(CONTENT_TYPE).is_none() {
        return Err(ApiError::unsupported("the body must be application/json"));
    }
    Ok(())
}
