//! Pages of lists.

use serde_json::{Value, json};

use super::call::Call;
use super::core::Core;
use super::response::ApiError;

/// Returns one page of a list, with absolute links to the other pages.
pub(super) fn page(core: &Core, call: &Call, all: &[Value]) -> Result<Value, ApiError> {
    let number = |name: &str, default: usize| match call.parameter(name) {
        None => Ok(default),
        Some(text) => {
            let number = text.parse().ok().filter(|number| *number > 0);
            number.ok_or_else(|| ApiError::unprocessable(format!("`{name}` must be a positive number")))
        }
    };
    let page = number("page", 1)?;
    let per_page = number("per_page", core.settings.per_page)?;
    let last = all.len().div_ceil(per_page).max(1);
    let first_shown = (page - 1).saturating_mul(per_page).min(all.len());
    let shown = &all[first_shown..(first_shown + per_page).min(all.len())];
    let path = format!("{}{}", core.url, call.path);
    let size = call.parameter("per_page").map(|size| format!("&per_page={size}")).unwrap_or_default();
    let link = |page: usize| format!("{path}?page={page}{size}");
    Ok(json!({
        "data": shown,
        "links": {
            "first": link(1),
            "last": link(last),
            "prev": (page > 1).then(|| link((page - 1).min(last))),
            "next": (page < last).then(|| link(page + 1)),
        },
        "meta": {
            "current_page": page,
            "from": (!shown.is_empty()).then_some(first_shown + 1),
            "last_page": last,
            "path": path,
            "per_page": per_page,
            "to": (!shown.is_empty()).then_some(first_shown + shown.len()),
            "total": all.len(),
        },
    }))
}
