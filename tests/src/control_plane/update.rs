//! The call that stores a gateway's configuration.

use serde::Deserialize;
use serde_json::json;

use super::call::{Call, non_blank};
use super::core::Core;
use super::credential::Caller;
use super::document::Kind;
use super::response::{ApiError, ApiResponse, ApiResult};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    #[serde(rename = "type")]
    kind: String,
    id: Option<String>,
    config: String,
}

/// Stores a part of the calling gateway's configuration and issues it back as a change that contains its id.
pub(super) fn update(core: &Core, call: &Call, caller: &Caller) -> ApiResult {
    let gateway = caller.gateway()?;
    let request: Request = call.json()?;
    let kind: Kind = request.kind.parse().map_err(ApiError::unprocessable)?;
    let config = non_blank("config", &request.config)?;
    let id = request.id.as_deref().map(|id| non_blank("id", id)).transpose()?;
    core.change(|state| {
        // A gateway has one gateway document, which it may name by its own id.
        let id = id.filter(|id| kind != Kind::Gateway || *id != gateway.id);
        let own = |id: &str| {
            state.document(id).is_some_and(|known| known.gateway_id == gateway.id && known.kind == kind)
        };
        if let Some(unknown) = id.filter(|id| !own(id)) {
            return Err(ApiError::not_found(format!("this gateway has no {} {unknown}", kind.name())));
        }
        let (document, action) =
            state.store(&gateway.id, kind, id, config).map_err(ApiError::unprocessable)?;
        state.announce(&document);
        ApiResponse::ok(&json!({
            "success": true,
            "message": format!("stored {} `{}`", kind.name(), document.name),
            "data": { "id": document.id, "type": kind, "action": action },
        }))
    })
}
