//! The rows about failed backends and refused requests of the last minutes.

use serde_json::Value;

use crate::cli::screen::{Screen, counted, text};
use crate::cli::times::Now;

/// The maximum number of troubles on the screen.
const SHOWN: usize = 5;

/// Adds a row for each trouble. None of them changes the verdict on the sync, or the exit code.
pub(super) fn rows(troubles: &Value, now: Now, screen: &mut Screen) {
    let all = troubles.as_array().map_or(&[][..], Vec::as_slice);
    for trouble in all.iter().take(SHOWN) {
        let (reason, cause, remedy) =
            (text(&trouble["reason"]), text(&trouble["cause"]), text(&trouble["remedy"]));
        let count = usize::try_from(trouble["count"].as_u64().unwrap_or_default()).unwrap_or(usize::MAX);
        let (requests, of, last) =
            (counted(count, "request"), pipelines(trouble), now.when(&trouble["last_at"]));
        let (name, what) = match (trouble["kind"].as_str(), trouble["origin"].as_str()) {
            (Some("backend"), Some(origin)) => ("backend", format!("{origin} FAILS ({reason}): {requests}")),
            (Some("backend"), None) => ("backend", format!("FAILS ({reason}): {requests}")),
            _ => ("refused", format!("{reason}: {requests}")),
        };
        let shown = format!("{what} of {of} in 5 min, last {last}: {cause}; {remedy}");
        screen.row(name, &shown);
    }
    if all.len() > SHOWN {
        let more = counted(all.len() - SHOWN, "more trouble");
        screen.row("", &format!("and {more} of the last 5 min; --json shows all"));
    }
}

/// Returns the pipelines of a trouble.
fn pipelines(trouble: &Value) -> String {
    let names: Vec<&str> = trouble["pipelines"].as_array().into_iter().flatten().map(text).collect();
    let more = trouble["more_pipelines"].as_u64().filter(|more| *more > 0);
    let more = more.map_or_else(String::new, |more| format!(" and {more} more"));
    let noun = if names.len() == 1 { "pipeline" } else { "pipelines" };
    format!("{noun} {}{more}", names.join(", "))
}
