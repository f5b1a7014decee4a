//! The routes of the API.

use http::Method;

use super::call::Call;
use super::core::Core;
use super::credential::Caller;
use super::response::{ApiError, ApiResult};
use super::{authorize, change_calls, discovery, lists, login, mesh_token, page, resolve, update};

/// Executes a call.
pub(super) fn handle(core: &Core, call: &Call, caller: &Caller) -> ApiResult {
    let segments = call.segments();
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    if let ["dev", rest @ ..] = &segments[..] {
        return page::handle(core, call, rest);
    }
    let get = || check_method(call, &Method::GET);
    let post = || check_method(call, &Method::POST);
    match segments[..] {
        [""] => get().and_then(|()| page::index(core, call)),
        ["page.css"] => get().and_then(|()| page::style()),
        ["page.js"] => get().and_then(|()| page::script()),
        ["login", device] => get().and_then(|()| page::login(core, device)),
        [".well-known", "jwks.json"] => get().and_then(|()| discovery::jwks(core, call)),
        ["harmony", "base-url"] => get().and_then(|()| discovery::base_url(core)),
        ["harmony", "authorize"] => post().and_then(|()| authorize::authorize(core, call, caller)),
        ["harmony", "update"] => post().and_then(|()| update::update(core, call, caller)),
        ["harmony", "changes"] => get().and_then(|()| change_calls::list(core, call, caller, None)),
        ["harmony", "changes", "acknowledge"] => {
            post().and_then(|()| change_calls::acknowledge(core, call, caller))
        }
        ["harmony", "changes", gateway] => {
            get().and_then(|()| change_calls::list(core, call, caller, Some(gateway)))
        }
        ["harmony", "change", id] => get().and_then(|()| change_calls::get(core, caller, id)),
        ["harmony", "change", id, "applied"] => {
            post().and_then(|()| change_calls::applied(core, call, caller, id))
        }
        ["harmony", "change", id, "failed"] => {
            post().and_then(|()| change_calls::failed(core, call, caller, id))
        }
        ["harmony", "resources", "resolve"] => get().and_then(|()| resolve::resolve(core, call, caller)),
        ["harmony", "mesh", "token"] => post().and_then(|()| mesh_token::issue(core, call, caller)),
        ["cli", "start-login"] => post().and_then(|()| login::start(core, call)),
        ["cli", "check-login", device] => get().and_then(|()| login::check(core, device)),
        ["transforms"] if call.method == Method::POST => lists::create_transform(core, call, caller),
        [kind] if lists::KINDS.contains(&kind) => get().and_then(|()| lists::list(core, call, caller, kind)),
        [kind, id] if lists::KINDS.contains(&kind) => get().and_then(|()| lists::get(core, caller, kind, id)),
        _ => Err(ApiError::not_found(format!("there is nothing at {}", call.path))),
    }
}

fn check_method(call: &Call, method: &Method) -> Result<(), ApiError> {
    match call.method == *method {
        true => Ok(()),
        false => Err(ApiError::method_not_allowed(format!("{} accepts {method} only", call.path))),
    }
}
