use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::{Answer, Outcome, Rejection};
use super::call::{Call, filled};
use super::change::{ChangeView, Verdict};
use super::core::Core;
use super::credential::Caller;
use super::etag;
use super::paging;
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

/// What waits: for one gateway, or for all that the caller sees.
pub(super) fn list(core: &Core, call: &Call, caller: &Caller, gateway: Option<&str>) -> Outcome {
    caller.team_id()?;
    let state = core.state();
    let only = match gateway {
        None => None,
        Some(wanted) => {
            let gateway =
                state.gateway(wanted).ok_or_else(|| Rejection::not_found("there is no such gateway"))?;
            if !caller.sees(gateway) {
                return Err(Rejection::forbidden("this is another's gateway"));
            }
            Some(gateway.id.clone())
        }
    };
    let seen = |change: &&ChangeView| match &only {
        Some(id) => change.gateway_id == *id,
        None => state.gateway(&change.gateway_id).is_some_and(|gateway| caller.sees(gateway)),
    };
    let waiting = state.changes.iter().rev().filter(|change| change.is_waiting()).filter(seen);
    let all: Vec<Value> = waiting.map(ChangeView::listed).collect();
    etag::answer(call, paging::page(core, call, &all)?, None)
}

pub(super) fn get(core: &Core, caller: &Caller, id: &str) -> Outcome {
    caller.team_id()?;
    let state = core.state();
    visible(&state, caller, id)?;
    Answer::ok(&json!({ "data": state.change(id) }))
}

pub(super) fn acknowledge(core: &Core, call: &Call, caller: &Caller) -> Outcome {
    let gateway = caller.gateway()?;
    let request: Acknowledge = call.json()?;
    if request.change_ids.is_empty() {
        return Err(Rejection::unprocessable("`change_ids` must name a change"));
    }
    for id in &request.change_ids {
        filled("change_ids", id)?;
    }
    let (acknowledged, failed) = core.change(|state| {
        request.change_ids.into_iter().partition::<Vec<_>, _>(|id| {
            let change = state.change_mut(id).filter(|change| change.gateway_id == gateway.id);
            change.is_some_and(ChangeView::acknowledge)
        })
    });
    Answer::ok(&json!({ "acknowledged": acknowledged, "failed": failed }))
}

pub(super) fn applied(core: &Core, call: &Call, caller: &Caller, id: &str) -> Outcome {
    caller.gateway()?;
    call.no_body()?;
    settle(core, caller, id, Verdict::Applied)
}

pub(super) fn failed(core: &Core, call: &Call, caller: &Caller, id: &str) -> Outcome {
    caller.gateway()?;
    let Failed { error, details } = call.json()?;
    filled("error", &error)?;
    settle(core, caller, id, Verdict::Failed { error, details })
}

fn settle(core: &Core, caller: &Caller, id: &str, verdict: Verdict) -> Outcome {
    let message = match &verdict {
        Verdict::Applied => "the change was applied",
        Verdict::Failed { .. } => "the change has failed",
    };
    core.change(|state| {
        visible(state, caller, id)?;
        state.change_mut(id).map_or(Ok(()), |change| change.settle(verdict))
    })?;
    Answer::ok(&json!({ "success": true, "message": message }))
}

/// That the caller may know of a change. Another gateway's is 403, so that a mix-up is seen as one.
fn visible(state: &State, caller: &Caller, id: &str) -> Result<(), Rejection> {
    let change = state.change(id).ok_or_else(|| Rejection::not_found(format!("there is no change {id}")))?;
    match state.gateway(&change.gateway_id).is_some_and(|gateway| caller.sees(gateway)) {
        true => Ok(()),
        false => Err(Rejection::forbidden("this is another gateway's change")),
    }
}
