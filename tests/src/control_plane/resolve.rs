//! The call that resolves references.

use jiff::Timestamp;
use serde_json::json;

use super::call::Call;
use super::core::Core;
use super::credential::Caller;
use super::reference::Reference;
use super::response::{ApiError, ApiResponse, ApiResult};

pub(super) fn resolve(core: &Core, call: &Call, caller: &Caller) -> ApiResult {
    let team = caller.team_id()?;
    let text = call.parameter("ref").ok_or_else(|| ApiError::unprocessable("`ref` is missing"))?;
    let reference = Reference::parse(&text).map_err(ApiError::bad_request)?;
    let state = core.state();
    let found = state.find(&reference, caller.gateway_id());
    let found = found.ok_or_else(|| ApiError::not_found(format!("there is no {text}")))?;
    if !state.may_see(team, &found) {
        return Err(ApiError::forbidden(format!("{text} is private to its team")));
    }
    ApiResponse::ok(&json!({
        "data": found.json(&state),
        "meta": { "provider": reference.provider, "resolved_at": Timestamp::now() },
    }))
}
