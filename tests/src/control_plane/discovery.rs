use serde_json::json;

use super::answer::{Answer, Outcome};
use super::call::Call;
use super::core::Core;
use super::etag;

pub(super) fn base_url(core: &Core) -> Outcome {
    let base = format!("{}/api", core.url);
    Answer::ok(&json!({ "base_url": base, "changes_path": "/", "full_url": base }))
}

pub(super) fn jwks(core: &Core, call: &Call) -> Outcome {
    let keys = core.state().keys.published();
    etag::answer(call, keys, core.settings.jwks_max_age)
}
