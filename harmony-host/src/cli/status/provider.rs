//! The rows about the provider: its control plane, the authorization there, and the evidence of the sync.

use std::time::Duration;

use serde_json::Value;

use crate::cli::screen::{Screen, counted, text};
use crate::cli::times::Now;

/// The time before its end from which an authorization is warned about.
const SOON: Duration = Duration::from_secs(7 * 24 * 3600);

/// Adds the rows.
pub(super) fn rows(answer: &Value, now: Now, screen: &mut Screen) {
    if let Some(gateway) = answer["gateway"].as_str() {
        screen.row("gateway", &format!("{gateway}, serves {}", text(&answer["config_file_path"])));
    }
    let provider = &answer["provider"];
    let name = text(&provider["name"]);
    let mut shown = name.to_owned();
    if let Some(address) = provider["address"].as_str() {
        shown.push_str(&format!(" at {address}"));
    }
    if provider["type"].as_str().is_some_and(|kind| kind != name) {
        shown.push_str(&format!(", of the type {}", text(&provider["type"])));
    }
    let polling = match text(&provider["polling"]) {
        "disabled" => "has no changes to poll".to_owned(),
        "on demand" => "polled by `harmony-host sync` only".to_owned(),
        "waiting" => "its source waits for changes".to_owned(),
        interval => format!("polled {interval}"),
    };
    screen.row("provider", &format!("{shown} ({polling})"));
    let abilities = provider["abilities"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let abilities: Vec<&str> = abilities.collect();
    screen.row(
        "abilities",
        if abilities.is_empty() { "none".to_owned() } else { abilities.join(", ") }.as_str(),
    );
    let sync = &answer["sync"];
    if !sync.is_null() {
        authorization(sync, now, screen);
        evidence(sync, answer["reason"].as_str().unwrap_or_default(), now, screen);
    }
}

/// Adds the rows about the authorization, which is the machine token.
fn authorization(sync: &Value, now: Now, screen: &mut Screen) {
    let until = &sync["authorized_until"];
    let shown = match text(&sync["authorization"]) {
        "none" => "not needed".to_owned(),
        "missing" => "NO: authorize this gateway".to_owned(),
        "refused" => "NO: the credential was refused; authorize this gateway again".to_owned(),
        "expired" if until.is_null() => "NO: expired; authorize this gateway again".to_owned(),
        "expired" => format!("NO: expired {}; authorize this gateway again", now.when(until)),
        "valid" if until.is_null() => "yes; only the control plane knows until when".to_owned(),
        "valid" => match now.left_until(until) {
            Some(left) if left > SOON => format!("yes; ends {}", now.when(until)),
            _ => format!("ENDS SOON: {}; authorize this gateway again", now.when(until)),
        },
        other => other.to_owned(),
    };
    screen.row("authorized", &shown);
    if let Some(source) = sync["credential_source"].as_str() {
        let gateway = sync["credential_gateway"].as_str();
        let gateway = gateway.map_or_else(String::new, |id| format!(", for the gateway {id}"));
        screen.row("credential", &format!("from {source}{gateway}"));
    }
    // Without any credential its problem is the reason for which the gateway is not in sync.
    if let Some(problem) = sync["credential_problem"].as_str().filter(|_| sync["authorization"] != "missing")
    {
        screen.row("unused", &now.with_ages(problem));
    }
}

/// Adds the rows about what was heard and what was done here.
fn evidence(sync: &Value, reason: &str, now: Now, screen: &mut Screen) {
    let next = match (sync["due_at"].is_null(), now.left_until(&sync["due_at"])) {
        (true, _) => String::new(),
        (false, None) => "; next poll now".to_owned(),
        (false, Some(_)) => format!("; next poll {}", now.when(&sync["due_at"])),
    };
    screen.row("last answer", &format!("{}{next}", now.when(&sync["heard_at"])));
    let number = |key: &str| sync[key].as_u64().unwrap_or_default() as usize;
    let not_taken = sync["not_taken"].as_array().map_or(&[][..], Vec::as_slice);
    let changes = counted(number("unsettled") + not_taken.len(), "change");
    let verdicts = counted(number("undelivered"), "verdict");
    let waiting = match number("waiting") {
        0 => String::new(),
        1 => "; 1 change waits for `harmony-host resume`".to_owned(),
        n => format!("; {n} changes wait for `harmony-host resume`"),
    };
    screen.row("pending", &format!("{changes} to apply, {verdicts} to report{waiting}"));
    for change in not_taken {
        let (kind, id, reason) = (text(&change["kind"]), text(&change["id"]), text(&change["reason"]));
        screen.row("not taken", &format!("{kind} change {id}: {reason}"));
    }
    if let Some(busy) = sync["busy"].as_str() {
        screen.row("busy source", busy);
    }
    if let Some(problem) = sync["source_problem"].as_str() {
        screen.row("not ours", problem);
    }
    let applied = &sync["evidence"]["last_applied"];
    let shown = match (applied.is_null(), applied["at"].is_null()) {
        (true, _) => "no change was applied here yet".to_owned(),
        (_, true) => {
            format!("{} change {}, before the last start", text(&applied["kind"]), text(&applied["id"]))
        }
        _ => format!(
            "{} change {}, {}",
            text(&applied["kind"]),
            text(&applied["id"]),
            now.when(&applied["at"])
        ),
    };
    screen.row("applied", &shown);
    let change = &sync["last_change"];
    let verdict = text(&change["verdict"]);
    if !change.is_null() && verdict != "applied" {
        let verdict = if verdict == "held" { "deferred" } else { verdict };
        let class = change["class"].as_str().map_or_else(String::new, |class| format!(" ({class})"));
        // The row `because` may have it.
        let is_new = |summary: &&str| !reason.contains(summary);
        let summary = change["summary"].as_str().filter(is_new);
        let summary = summary.map_or_else(String::new, |text| format!(": {}", now.with_ages(text)));
        let (kind, id) = (text(&change["kind"]), text(&change["id"]));
        let shown = format!("{kind} change {id} {verdict}{class}, {}{summary}", now.when(&change["at"]));
        screen.row("last change", &shown);
    }
    screen.row("not seen", "what another gateway with the same id or token took");
}
