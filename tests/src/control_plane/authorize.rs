//! Authorizing gateways with a user's token.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::call::{Call, non_blank};
use super::core::Core;
use super::credential::Caller;
use super::gateway::ABILITIES;
use super::response::{ApiError, ApiResponse, ApiResult};
use super::state::State;
use super::team::User;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    token: Option<String>,
    gateway_code: String,
    machine_public_key: Option<String>,
    metadata: Option<Vec<String>>,
}

pub(super) fn authorize(core: &Core, call: &Call, caller: &Caller) -> ApiResult {
    let user = caller.user()?;
    let request: Request = call.json()?;
    let code = non_blank("gateway_code", &request.gateway_code)?;
    // Clients send the user's token in the header, and most in the body too. Two different tokens are a mistake of the
    // client.
    if let Some(token) = &request.token {
        non_blank("token", token)?;
        if call.header("authorization") != Some(&format!("Bearer {token}")) {
            return Err(ApiError::unauthorized("`token` is not the bearer token"));
        }
    }
    core.change(|state| {
        let answer = issue_machine_token(state, user, code, core.settings.machine_token_seconds)
            .ok_or_else(|| ApiError::forbidden(format!("gateway `{code}` belongs to another team")))?;
        if let Some(gateway) = state.gateways.iter_mut().find(|gateway| gateway.code == code) {
            gateway.machine_public_key = request.machine_public_key;
            gateway.metadata = request.metadata.unwrap_or_default();
        }
        ApiResponse::ok(&answer)
    })
}

/// Issues a machine token for a gateway. Returns `None` if the gateway belongs to another team.
pub(super) fn issue_machine_token(state: &mut State, user: &User, code: &str, seconds: i64) -> Option<Value> {
    let gateway = state.gateway_or_new(user, code)?;
    let (token, expires_at) = state.machine_token(&gateway.id, seconds);
    let left = expires_at.duration_since(Timestamp::now()).as_secs_f64();
    Some(json!({
        "machine_token": token,
        "expires_in": left,
        "expires_at": expires_at,
        "gateway": { "id": gateway.id, "code": gateway.code, "name": gateway.name, "authorized_by": user.json() },
        "abilities": ABILITIES,
    }))
}
