use http::header::{CONTENT_TYPE, HOST, HeaderName, ORIGIN};
use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use super::answer::{Answer, Outcome, Rejection};
use super::call::{Call, filled};
use super::core::Core;
use super::document::Kind;
use super::login;
use super::overview;
use super::state::State;

const INDEX: &str = include_str!("page/index.html");
const LOGIN: &str = include_str!("page/login.html");
const HTML: &str = "text/html; charset=utf-8";
/// Nothing from elsewhere, and in no frame of anybody else.
const POLICY: &str = "default-src 'self'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'";

pub(super) fn index() -> Outcome {
    html(INDEX)
}

pub(super) fn login(core: &Core, device_token: &str) -> Outcome {
    let known = core.state().logins.iter().any(|login| login.device_token == device_token);
    if known { html(LOGIN) } else { Err(Rejection::not_found("there is no such login")) }
}

fn html(page: &'static str) -> Outcome {
    let policy = HeaderName::from_static("content-security-policy");
    Ok(Answer::new(StatusCode::OK, HTML, page).with(policy, POLICY))
}

/// The page's own calls. They need no token, so nobody but a person at this machine may make them.
pub(super) fn answer(core: &Core, call: &Call, path: &[&str]) -> Outcome {
    from_this_machine(call)?;
    match (&call.method, path) {
        (&Method::GET, ["state"]) => Answer::ok(&overview::overview(core)),
        (&Method::GET, ["requests"]) => {
            Answer::ok(&json!({ "requests": core.log().entries().collect::<Vec<_>>() }))
        }
        (&Method::GET, ["documents", id]) => {
            let state = core.state();
            let document =
                state.document(id).ok_or_else(|| Rejection::not_found("there is no such document"))?;
            Answer::ok(&json!({ "data": document }))
        }
        (&Method::POST, ["documents"]) => save_document(core, &call.json()?),
        (&Method::POST, ["gateways", id]) => save_gateway(core, id, &call.json()?),
        (&Method::POST, ["gateways", id, "revoke"]) => {
            call.json::<Value>()?;
            core.change(|state| {
                let id = gateway(state, id)?;
                state.machine_tokens.retain(|token| token.gateway_id != id);
                Answer::ok(&json!({ "success": true }))
            })
        }
        (&Method::POST, ["login"]) => {
            let agreed: Agreed = call.json()?;
            login::approve(core, &agreed.device_token, &agreed.user_id)?;
            Answer::ok(&json!({ "success": true }))
        }
        (&Method::POST, ["tokens"]) => user_token(core, &call.json()?),
        (&Method::GET | &Method::POST, _) => {
            Err(Rejection::not_found(format!("there is nothing at {}", call.path)))
        }
        _ => Err(Rejection::method_not_allowed("the page only gets and posts")),
    }
}

/// Refuses what another site's page could make a browser send: a name that leads here, or a form.
fn from_this_machine(call: &Call) -> Result<(), Rejection> {
    let loopback = |url: &str| {
        let host = Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned));
        host.is_some_and(|host| matches!(host.as_str(), "localhost" | "127.0.0.1" | "[::1]"))
    };
    let host = call.header(HOST).unwrap_or_default();
    if !loopback(&format!("http://{host}/")) {
        return Err(Rejection::forbidden("the page is for this machine: `Host` must be its loopback"));
    }
    let origin = call.headers.get(ORIGIN).map(|origin| origin.to_str().unwrap_or_default());
    if origin.is_some_and(|origin| origin != format!("http://{host}")) {
        return Err(Rejection::forbidden("another site's page may not do this"));
    }
    if call.method == Method::POST && call.headers.get(CONTENT_TYPE).is_none() {
        return Err(Rejection::unsupported("the body must be application/json"));
    }
    Ok(())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Agreed {
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

fn save_document(core: &Core, saved: &SavedDocument) -> Outcome {
    let kind: Kind = saved.kind.parse().map_err(Rejection::unprocessable)?;
    filled("toml", &saved.toml)?;
    core.change(|state| {
        let gateway = gateway(state, &saved.gateway_id)?;
        let id = saved.id.as_deref();
        let own = |id: &str| {
            let mut all = state.documents.iter();
            all.any(|known| known.id == id && known.gateway_id == gateway && known.kind == kind)
        };
        if let Some(unknown) = id.filter(|id| !own(id)) {
            return Err(Rejection::not_found(format!("this gateway has no {} {unknown}", kind.name())));
        }
        let stored = state.store(&gateway, kind, id, &saved.toml);
        let (document, _) = stored.map_err(Rejection::unprocessable)?;
        Answer::ok(&json!({ "id": document.id, "change_id": state.announce(&document) }))
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SavedGateway {
    name: String,
    poll_interval_secs: u16,
    primary_provider: String,
}

fn save_gateway(core: &Core, id: &str, saved: &SavedGateway) -> Outcome {
    let name = filled("name", &saved.name)?;
    filled("primary_provider", &saved.primary_provider)?;
    if saved.poll_interval_secs > 3600 {
        return Err(Rejection::unprocessable("`poll_interval_secs` goes from 0 to 3600"));
    }
    core.change(|state| {
        let change =
            state.choose(&gateway(state, id)?, name, &saved.primary_provider, saved.poll_interval_secs);
        Answer::ok(&json!({ "change_id": change.map_err(Rejection::unprocessable)? }))
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WantedToken {
    team: String,
    #[serde(default)]
    sanctum: bool,
}

fn user_token(core: &Core, wanted: &WantedToken) -> Outcome {
    core.change(|state| {
        let team = state.team(&wanted.team).cloned();
        let team = team.ok_or_else(|| Rejection::not_found(format!("there is no team {}", wanted.team)))?;
        let user = state.user_of(&team);
        let token = match wanted.sanctum {
            true => state.sanctum(&user),
            false => state.user_jwt(&core.url, &user, login::USER_TOKEN_SECONDS),
        };
        Answer::ok(&json!({ "token": token, "user": user.json() }))
    })
}

fn gateway(state: &State, wanted: &str) -> Result<String, Rejection> {
    let gateway = state.gateway(wanted).ok_or_else(|| Rejection::not_found("there is no such gateway"))?;
    Ok(gateway.id.clone())
}
