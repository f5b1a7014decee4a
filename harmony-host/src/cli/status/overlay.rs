//! The rows about the overlay: why there is one, what is in it, and what left it.

use serde_json::Value;

use crate::cli::screen::{Screen, counted, text};
use crate::cli::times::Now;

/// Adds the rows; none without an overlay.
pub(super) fn rows(overlay: &Value, now: Now, screen: &mut Screen) {
    let all = |key: &str| overlay[key].as_array().into_iter().flatten();
    for path in all("read_only") {
        screen.row("read-only", &format!("{} ({})", text(&path["path"]), text(&path["reason"])));
    }
    if !overlay.is_null() {
        let files = counted(all("files").count(), "file");
        screen.row("overlay", &format!("{files} in {}", text(&overlay["directory"])));
    }
    for file in all("files") {
        let read = if file["displaced"] == true { "NOT read, newer is" } else { "instead of" };
        let (name, base, at) = (text(&file["file"]), text(&file["base"]), now.when(&file["at"]));
        screen.row("overlaid", &format!("{name} ({}, {at}), {read} {base}", by(file)));
    }
    for file in all("displaced") {
        let (name, copy, at) = (text(&file["file"]), text(&file["copy"]), now.when(&file["at"]));
        let by = by(file);
        screen.row("displaced", &format!("{name} ({by}) by an edit of its base, {at}; copy in {copy}"));
    }
}

/// Returns what wrote a file.
fn by(file: &Value) -> String {
    match (file["kind"].as_str(), file["change"].as_str()) {
        (Some("rollback"), Some(to)) => format!("rollback {to}"),
        (Some(kind), Some(change)) => format!("{kind} change {change}"),
        (None, Some(change)) => format!("change {change}"),
        _ => "edited by hand".to_owned(),
    }
}
