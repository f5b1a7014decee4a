use jiff::Timestamp;
use serde_json::json;

use super::answer::{Answer, Outcome, Rejection};
use super::call::Call;
use super::core::Core;
use super::credential::Caller;
use super::reference::Reference;

pub(super) fn resolve(core: &Core, call: &Call, caller: &Caller) -> Outcome {
    let team = caller.team_id()?;
    let text = call.parameter("ref").ok_or_else(|| Rejection::unprocessable("`ref` is missing"))?;
    let reference = Reference::parse(&text).map_err(Rejection::bad_request)?;
    let state = core.state();
    let found = state.find(&reference, caller.gateway_id());
    let found = found.ok_or_else(|| Rejection::not_found(format!("there is no {text}")))?;
    if !state.may_see(team, &found) {
        return Err(Rejection::forbidden(format!("{text} is private to its team")));
    }
    Answer::ok(&json!({
        "data": found.json(&state),
        "meta": { "provider": reference.provider, "resolved_at": Timestamp::now() },
    }))
}
