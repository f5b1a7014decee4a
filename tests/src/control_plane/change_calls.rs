//! The calls of the API about changes: list, fetch, acknowledge, verdicts.

use serde::Deserialize;
use serde_json::{Value, json};

use super::call::{Call, non_blank};
use super::change::{ChangeView, Verdict};
use super::core::Core;
use super::credential::Caller;
use super::etag;
use super::paging;
use super::response::{ApiError, ApiResponse, ApiResult};
use super::state::State;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Acknowledge {
    change_ids: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Failed {
    error: String,
    details: Option<Vec<String>>,
}

/// Lists the waiting changes of one gateway, or of all gateways visible to the caller.
pub(super) fn list(core: &Core, call: &Call, caller: &Caller, gateway: Option<&str>) -> ApiResult {
    caller.team_id()?;
    if let Some(id) = caller.gateway_id().filter(|_| call.parameter("page").is_none_or(|page| page == "1")) {
        core.state().record_poll(id);
    }
    let state = core.state();
    let only = match gateway {
        None => None,
        Some(wanted) => {
            let gateway =
                state.gateway(wanted).ok_or_else(|| ApiError::not_found("there is no such gateway"))?;
            if !caller.sees(gateway) {
                return Err(ApiError::forbidden("the gateway belongs to another team"));
            }
            Some(gateway.id.clone())
        }
    };
    let visible = |change: &&ChangeView| match &only {
        Some(id) => change.gateway_id == *id,
        None => state.gateway(&change.gateway_id).is_some_and(|gateway| caller.sees(gateway)),
    };
    let waiting = state.changes.iter().rev().filter(|change| change.is_waiting()).filter(visible);
    let all: Vec<Value> = waiting.map(ChangeView::list_entry).collect();
    etag::respond(call, paging::page(core, call, &all)?, None)
}

pub(super) fn get(core: &Core, caller: &Caller, id: &str) -> ApiResult {
    caller.team_id()?;
    let state = core.state();
    check_visible(&state, caller, id)?;
    ApiResponse::ok(&json!({ "data": state.change(id) }))
}

pub(super) fn acknowledge(core: &Core, call: &Call, caller: &Caller) -> ApiResult {
    let gateway = caller.gateway()?;
    let request: Acknowledge = call.json()?;
    if request.change_ids.is_empty() {
        return Err(ApiError::unprocessable("`change_ids` must name a change"));
    }
    for id in &request.change_ids {
        non_blank("change_ids", id)?;
    }
    let (acknowledged, failed) = core.change(|state| {
        request.change_ids.into_iter().partition::<Vec<_>, _>(|id| {
            let change = state.change_mut(id).filter(|change| change.gateway_id == gateway.id);
            change.is_some_and(ChangeView::acknowledge)
        })
    });
    ApiResponse::ok(&json!({ "acknowledged": acknowledged, "failed": failed }))
}

pub(super) fn applied(core: &Core, call: &Call, caller: &Caller, id: &str) -> ApiResult {
    caller.gateway()?;
    call.no_body()?;
    settle(core, caller, id, Verdict::Applied)
}

pub(super) fn failed(core: &Core, call: &Call, caller: &Caller, id: &str) -> ApiResult {
    caller.gateway()?;
    let Failed { error, details } = call.json()?;
    non_blank("error", &error)?;
    settle(core, caller, id, Verdict::Failed { error, details })
}

fn settle(core: &Core, caller: &Caller, id: &str, verdict: Verdict) -> ApiResult {
    let message = match &verdict {
        Verdict::Applied => "the change is marked as applied",
        Verdict::Failed { .. } => "the change is marked as failed",
    };
    core.change(|state| {
        check_visible(state, caller, id)?;
        state.change_mut(id).map_or(Ok(()), |change| change.settle(verdict))
    })?;
    ApiResponse::ok(&json!({ "success": true, "message": message }))
}

/// Checks that the caller may see a change. Another gateway's change is 403 instead of 404, so that a mix-up shows.
fn check_visible(state: &State, caller: &Caller, id: &str) -> Result<(), ApiError> {
    let change = state.change(id).ok_or_else(|| ApiError::not_found(format!("there is no change {id}")))?;
    match state.gateway(&change.gateway_id).is_some_and(|gateway| caller.sees(gateway)) {
        true => Ok(()),
        false => Err(ApiError::forbidden("the change belongs to another gateway")),
    }
}
