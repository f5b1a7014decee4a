//! The call that issues mesh tokens.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;

use super::call::{Call, non_blank};
use super::core::Core;
use super::credential::Caller;
use super::mesh;
use super::response::{ApiResponse, ApiResult};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    mesh_id: String,
    destination_url: String,
}

pub(super) fn issue(core: &Core, call: &Call, caller: &Caller) -> ApiResult {
    let gateway = caller.gateway()?;
    let request: Request = call.json()?;
    let mesh_id = non_blank("mesh_id", &request.mesh_id)?;
    let destination = non_blank("destination_url", &request.destination_url)?;
    let mut state = core.state();
    let lifetime = core.settings.mesh_token_seconds;
    let claims = mesh::claims(&state, &core.url, lifetime, gateway, mesh_id, destination)?;
    let expires_at = claims["exp"].as_i64().and_then(|at| Timestamp::from_second(at).ok());
    ApiResponse::ok(
        &json!({ "token": state.keys.sign(&claims), "expires_at": expires_at, "mesh_id": mesh_id }),
    )
}
