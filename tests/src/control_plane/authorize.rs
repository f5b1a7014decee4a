use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::{Answer, Outcome, Rejection};
use super::call::{Call, filled};
use super::core::Core;
use super::credential::Caller;
use super::gateway::ABILITIES;
use super::state::State;
use super::team::User;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    token: String,
    gateway_code: String,
    machine_public_key: Option<String>,
    metadata: Option<Vec<String>>,
}

pub(super) fn authorize(core: &Core, call: &Call, caller: &Caller) -> Outcome {
    let user = caller.user()?;
    let request: Request = call.json()?;
    filled("token", &request.token)?;
    let code = filled("gateway_code", &request.gateway_code)?;
    // Clients send the user's token twice; two different ones are a mistake that should be seen.
    if call.header("authorization") != Some(&format!("Bearer {}", request.token)) {
        return Err(Rejection::unauthorized("`token` is not the bearer token"));
    }
    core.change(|state| {
        let answer = machine(state, user, code, core.settings.machine_token_seconds)
            .ok_or_else(|| Rejection::forbidden(format!("gateway `{code}` belongs to another team")))?;
        if let Some(gateway) = state.gateways.iter_mut().find(|gateway| gateway.code == code) {
            gateway.machine_public_key = request.machine_public_key;
            gateway.metadata = request.metadata.unwrap_or_default();
        }
        Answer::ok(&answer)
    })
}

/// Authorizes a gateway; `None` when it is another team's.
pub(super) fn machine(state: &mut State, user: &User, code: &str, seconds: i64) -> Option<Value> {
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
