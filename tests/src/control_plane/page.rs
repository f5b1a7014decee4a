//! The page for the browser, and its own calls below `/dev`.

use http::header::{CONTENT_TYPE, HOST, HeaderName, ORIGIN};
use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use super::call::{Call, non_blank};
use super::core::Core;
use super::document::Kind;
use super::login;
use super::overview;
use super::response::{ApiError, ApiResponse, ApiResult};
use super::state::State;

const INDEX: &str = include_str!("page/index.html");
const LOGIN: &str = include_str!("page/login.html");
const HTML: &str = "text/html; charset=utf-8";
/// The content security policy: no resources from other origins, and no embedding in frames.
const POLICY: &str = "default-src 'self'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'";

pub(super) fn index() -> ApiResult {
    html(INDEX)
}

pub(super) fn login(core: &Core, device_token: &str) -> ApiResult {
    let known = core.state().logins.iter().any(|login| login.device_token == device_token);
    if known { html(LOGIN) } else { Err(ApiError::not_found("there is no such login")) }
}

fn html(page: &'static str) -> ApiResult {
    let policy = HeaderName::from_static("content-security-policy");
    Ok(ApiResponse::new(StatusCode::OK, HTML, page).with(policy, POLICY))
}

/// Handles the page's own calls. They need no token, so only browsers on this machine may make them.
pub(super) fn handle(core: &Core, call: &Call, path: &[&str]) -> ApiResult {
    check_same_machine(call)?;
    match (&call.method, path) {
        (&Method::GET, ["state"]) => ApiResponse::ok(&overview::overview(core)),
        (&Method::GET, ["requests"]) => {
            ApiResponse::ok(&json!({ "requests": core.log().entries().collect::<Vec<_>>() }))
        }
        (&Method::GET, ["documents", id]) => {
            let state = core.state();
            let document =
                state.document(id).ok_or_else(|| ApiError::not_found("there is no such document"))?;
            ApiResponse::ok(&json!({ "data": document }))
        }
        (&Method::POST, ["documents"]) => save_document(core, &call.json()?),
        (&Method::POST, ["gateways", id]) => save_gateway(core, id, &call.json()?),
        (&Method::POST, ["gateways", id, "revoke"]) => {
            call.json::<Value>()?;
            core.change(|state| {
                let id = gateway(state, id)?;
                state.machine_tokens.retain(|token| token.gateway_id != id);
                ApiResponse::ok(&json!({ "success": true }))
            })
        }
        (&Method::POST, ["login"]) => {
            let approval: Approval = call.json()?;
            login::approve(core, &approval.device_token, &approval.user_id)?;
            ApiResponse::ok(&json!({ "success": true }))
        }
        (&Method::POST, ["tokens"]) => user_token(core, &call.json()?),
        (&Method::GET | &Method::POST, _) => {
            Err(ApiError::not_found(format!("there is nothing at {}", call.path)))
        }
        _ => Err(ApiError::method_not_allowed("the page's calls are GET and POST")),
    }
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

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Approval {
    device_token: String,
    user_id: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SavedDocument {
    gateway_id: String,
    #[serde(rename = "type")]
    kind: String,
    id: Option<String>,
    toml: String,
}

fn save_document(core: &Core, saved: &SavedDocument) -> ApiResult {
    let kind: Kind = saved.kind.parse().map_err(ApiError::unprocessable)?;
    non_blank("toml", &saved.toml)?;
    core.change(|state| {
        let gateway = gateway(state, &saved.gateway_id)?;
        let id = saved.id.as_deref();
        let own = |id: &str| {
            let mut all = state.documents.iter();
            all.any(|known| known.id == id && known.gateway_id == gateway && known.kind == kind)
        };
        if let Some(unknown) = id.filter(|id| !own(id)) {
            return Err(ApiError::not_found(format!("this gateway has no {} {unknown}", kind.name())));
        }
        let stored = state.store(&gateway, kind, id, &saved.toml);
        let (document, _) = stored.map_err(ApiError::unprocessable)?;
        ApiResponse::ok(&json!({ "id": document.id, "change_id": state.announce(&document) }))
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SavedGateway {
    name: String,
    poll_interval_secs: u16,
    primary_provider: String,
}

fn save_gateway(core: &Core, id: &str, saved: &SavedGateway) -> ApiResult {
    let name = non_blank("name", &saved.name)?;
    non_blank("primary_provider", &saved.primary_provider)?;
    if saved.poll_interval_secs > 3600 {
        return Err(ApiError::unprocessable("`poll_interval_secs` must be 0 to 3600"));
    }
    core.change(|state| {
        let change =
            state.save_form(&gateway(state, id)?, name, &saved.primary_provider, saved.poll_interval_secs);
        ApiResponse::ok(&json!({ "change_id": change.map_err(ApiError::unprocessable)? }))
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TokenRequest {
    team: String,
    #[serde(default)]
    sanctum: bool,
}

fn user_token(core: &Core, request: &TokenRequest) -> ApiResult {
    core.change(|state| {
        let team = state.team(&request.team).cloned();
        let team = team.ok_or_else(|| ApiError::not_found(format!("there is no team {}", request.team)))?;
        let user = state.user_of(&team);
        let token = match request.sanctum {
            true => state.sanctum(&user),
            false => state.user_jwt(&core.url, &user, login::USER_TOKEN_SECONDS),
        };
        ApiResponse::ok(&json!({ "token": token, "user": user.json() }))
    })
}

fn gateway(state: &State, wanted: &str) -> Result<String, ApiError> {
    let gateway = state.gateway(wanted).ok_or_else(|| ApiError::not_found("there is no such gateway"))?;
    Ok(gateway.id.clone())
}
