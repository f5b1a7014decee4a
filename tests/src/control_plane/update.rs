use serde::Deserialize;
use serde_json::json;

use super::answer::{Answer, Outcome, Rejection};
use super::call::{Call, filled};
use super::core::Core;
use super::credential::Caller;
use super::document::Kind;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    #[serde(rename = "type")]
    kind: String,
    id: Option<String>,
    config: String,
}

/// A gateway hands in a part of its configuration, and gets it back as a change that carries its id.
pub(super) fn update(core: &Core, call: &Call, caller: &Caller) -> Outcome {
    let gateway = caller.gateway()?;
    let request: Request = call.json()?;
    let kind: Kind = request.kind.parse().map_err(Rejection::unprocessable)?;
    let config = filled("config", &request.config)?;
    let id = request.id.as_deref().map(|id| filled("id", id)).transpose()?;
    core.change(|state| {
        // A gateway has one configuration file, and may name it by its own id.
        let id = id.filter(|id| kind != Kind::Gateway || *id != gateway.id);
        let own = |id: &str| {
            state.document(id).is_some_and(|known| known.gateway_id == gateway.id && known.kind == kind)
        };
        if let Some(unknown) = id.filter(|id| !own(id)) {
            return Err(Rejection::not_found(format!("this gateway has no {} {unknown}", kind.name())));
        }
        let (document, action) =
            state.store(&gateway.id, kind, id, config).map_err(Rejection::unprocessable)?;
        state.announce(&document);
        Answer::ok(&json!({
            "success": true,
            "message": format!("{} `{}` was stored", kind.name(), document.name),
            "data": { "id": document.id, "type": kind, "action": action },
        }))
    })
}
