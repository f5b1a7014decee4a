use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;

use super::answer::{Answer, Outcome};
use super::call::{Call, filled};
use super::core::Core;
use super::credential::Caller;
use super::mesh;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    mesh_id: String,
    destination_url: String,
}

pub(super) fn issue(core: &Core, call: &Call, caller: &Caller) -> Outcome {
    let gateway = caller.gateway()?;
    let request: Request = call.json()?;
    let mesh_id = filled("mesh_id", &request.mesh_id)?;
    let destination = filled("destination_url", &request.destination_url)?;
    let mut state = core.state();
    let lifetime = core.settings.mesh_token_seconds;
    let claims = mesh::claims(&state, &core.url, lifetime, gateway, mesh_id, destination)?;
    let expires_at = claims["exp"].as_i64().and_then(|at| Timestamp::from_second(at).ok());
    Answer::ok(&json!({ "token": state.keys.sign(&claims), "expires_at": expires_at, "mesh_id": mesh_id }))
}
