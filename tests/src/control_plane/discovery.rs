//! Discovery: the base URL and the key set.

use serde_json::json;

use super::call::Call;
use super::core::Core;
use super::etag;
use super::response::{ApiResponse, ApiResult};

pub(super) fn base_url(core: &Core) -> ApiResult {
    let base = format!("{}/api", core.url);
    ApiResponse::ok(&json!({ "base_url": base, "changes_path": "/", "full_url": base }))
}

pub(super) fn jwks(core: &Core, call: &Call) -> ApiResult {
    let keys = core.state().keys.published();
    etag::respond(call, keys, core.settings.jwks_max_age)
}
