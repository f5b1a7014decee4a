//! The calls of the page, below `/dev`.

use http::Method;
use serde::Deserialize;
use serde_json::json;

use crate::control_plane::call::{Call, non_blank};
use crate::control_plane::core::Core;
use crate::control_plane::document::Kind;
use crate::control_plane::login;
use crate::control_plane::overview;
use crate::control_plane::response::{ApiError, ApiResponse, ApiResult};
use crate::control_plane::state::State;

/// Handles a call, of which the caller has checked that it comes from this machine.
pub(super) fn handle(core: &Core, call: &Call, path: &[&str]) -> ApiResult {
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
        (&Method::POST, ["gateways", id, "revoke"]) => revoke(core, id, &call.json()?),
        (&Method::POST, ["gateways", id, "delete"]) => delete_gateway(core, id, &call.json()?),
        (&Method::POST, ["documents", id, "delete"]) => delete_document(core, id, &call.json()?),
        (&Method::POST, ["login"]) => {
            let approval: Approval = call.json()?;
            login::approve(core, &approval.device_token, &approval.user_id)?;
            let message = "Approved. You can go back to the command line.";
            ApiResponse::ok(&json!({ "success": true, "message": message }))
        }
        (&Method::POST, ["tokens"]) => user_token(core, &call.json()?),
        (&Method::GET | &Method::POST, _) => {
            Err(ApiError::not_found(format!("there is nothing at {}", call.path)))
        }
        _ => Err(ApiError::method_not_allowed("the page's calls are GET and POST")),
    }
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

/// Returns the line of the first mistake in a document that is no TOML.
fn line_of(toml: &str) -> Option<usize> {
    let span = toml.parse::<toml_edit::DocumentMut>().err()?.span()?;
    Some(toml.get(..span.start)?.matches('\n').count() + 1)
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
        let (document, _) =
            stored.map_err(|error| ApiError::unprocessable(error).at_line(line_of(&saved.toml)))?;
        let change = state.announce(&document);
        let message =
            format!("The {} `{}` is saved and on its way as change {change}.", kind.name(), document.name);
        ApiResponse::ok(
            &json!({ "id": document.id, "name": document.name, "change_id": change, "message": message }),
        )
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
        let change = change.map_err(ApiError::unprocessable)?;
        let message = format!("The settings are saved and on their way as change {change}.");
        ApiResponse::ok(&json!({ "change_id": change, "message": message }))
    })
}

/// A call without parameters.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

fn revoke(core: &Core, id: &str, _: &Nothing) -> ApiResult {
    core.change(|state| {
        let id = gateway(state, id)?;
        state.machine_tokens.retain(|token| token.gateway_id != id);
        ApiResponse::ok(&json!({ "success": true, "message": "The tokens of this gateway are revoked." }))
    })
}

/// Deletes a gateway with its tokens, documents and changes.
fn delete_gateway(core: &Core, id: &str, _: &Nothing) -> ApiResult {
    core.change(|state| {
        let id = gateway(state, id)?;
        state.machine_tokens.retain(|token| token.gateway_id != id);
        state.documents.retain(|document| document.gateway_id != id);
        state.changes.retain(|change| change.gateway_id != id);
        state.gateways.retain(|gateway| gateway.id != id);
        ApiResponse::ok(&json!({ "success": true, "message": "The gateway is deleted." }))
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DeletedDocument {
    gateway_id: String,
}

/// Deletes a document of a gateway here. The protocol has no change that deletes, so the gateway keeps its file.
fn delete_document(core: &Core, id: &str, deleted: &DeletedDocument) -> ApiResult {
    core.change(|state| {
        let gateway = gateway(state, &deleted.gateway_id)?;
        let before = state.documents.len();
        state.documents.retain(|document| document.id != id || document.gateway_id != gateway);
        match state.documents.len() == before {
            true => Err(ApiError::not_found("this gateway has no such document")),
            false => ApiResponse::ok(&json!({ "success": true, "message": "The document is deleted here." })),
        }
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
