//! The rows about the configuration: served, in the files, saved; its certificates, problems and warnings.

use serde_json::Value;

use crate::cli::screen::{Screen, counted, text};
use crate::cli::times::Now;

/// The maximum number of problems, and of warnings, on the screen.
const SHOWN: usize = 8;

/// Adds the rows.
pub(super) fn rows(answer: &Value, now: Now, screen: &mut Screen) {
    let (effective, attempted, desired) = (&answer["effective"], &answer["attempted"], &answer["desired"]);
    screen.row(
        "served",
        &format!(
            "generation {} ({}), applied {}",
            effective["generation"],
            short(&effective["digest"]),
            now.when(&effective["since"])
        ),
    );
    screen.row("files", &format!("{}, read {}", short(&desired["digest"]), now.when(&desired["read_at"])));
    if attempted["verdict"] == "rejected" {
        let class = attempted["class"].as_str().map_or_else(String::new, |class| format!(" ({class})"));
        screen.row(
            "rejected",
            &format!("{}{class}, {}", short(&attempted["digest"]), now.when(&attempted["at"])),
        );
    }
    let last_good = &answer["last_good"];
    let saved = match last_good["at"].is_null() {
        true => "not saved yet".to_owned(),
        false => format!("saved {}", now.when(&last_good["at"])),
    };
    let failure = last_good["failure"].as_str();
    let failure = failure.map(|failure| format!("; NOT the served configuration: {failure}"));
    screen.row("last good", &(saved + &failure.unwrap_or_default()));
    records(answer, screen);
    let ending = certificates(&answer["certificates"], now, screen);
    problems("problem", &attempted["problems"], &[], now, screen);
    problems("warning", &effective["warnings"], &ending, now, screen);
}

/// Adds the rows about documents that were rolled back, and about records that cannot be written.
fn records(answer: &Value, screen: &mut Screen) {
    for file in answer["rolled_back"].as_array().into_iter().flatten() {
        let (name, change, kind) = (text(&file["file"]), text(&file["change"]), text(&file["kind"]));
        let shown = format!("{name} to generation {}; not the {kind} change {change}", file["generation"]);
        screen.row("rolled back", &shown);
    }
    if let Some(failure) = answer["history"]["failure"].as_str() {
        screen.row("history", &format!("NOT on the disk: {failure}"));
    }
    let audit = &answer["audit"];
    let (waiting, lost) = (audit["waiting"].as_u64().unwrap_or(0), audit["lost"].as_u64().unwrap_or(0));
    if let Some(failure) = audit["failure"].as_str() {
        screen.row("audit log", &format!("NOT written, {waiting} events wait, {lost} are lost: {failure}"));
    }
}

/// Adds a row for each certificate that has expired or ends soon. Returns their keys.
fn certificates<'a>(certificates: &'a Value, now: Now, screen: &mut Screen) -> Vec<&'a str> {
    let all = certificates.as_array().into_iter().flatten();
    let ending = all.filter(|certificate| certificate["state"] != "valid");
    ending
        .map(|certificate| {
            let verb = match now.left_until(&certificate["ends_at"]) {
                Some(_) => "ENDS SOON:",
                None => "EXPIRED",
            };
            let (file, key) = (text(&certificate["file"]), text(&certificate["key"]));
            screen
                .row("certificate", &format!("{file} ({key}) {verb} {}", now.when(&certificate["ends_at"])));
            key
        })
        .collect()
}

/// Adds a row for each problem, up to a limit. A warning about a certificate has a row already.
fn problems(name: &str, problems: &Value, ending: &[&str], now: Now, screen: &mut Screen) {
    let is_shown = |problem: &&Value| {
        let (key, message) = (text(&problem["key"]), text(&problem["message"]));
        !(ending.contains(&key) && message.starts_with("the certificate in "))
    };
    let all: Vec<&Value> = problems.as_array().into_iter().flatten().filter(is_shown).collect();
    for problem in all.iter().take(SHOWN) {
        let place = match (problem["file"].as_str(), problem["line"].as_u64()) {
            (Some(file), Some(line)) => format!("{file}:{line}: "),
            (Some(file), None) => format!("{file}: "),
            _ => String::new(),
        };
        // A problem of a whole file has its name as the key.
        let key = match (problem["key"].as_str(), problem["file"].as_str()) {
            (Some(key), file) if file != Some(key) => format!("{key}: "),
            _ => String::new(),
        };
        let help = problem["help"].as_str().map_or_else(String::new, |help| format!(" ({help})"));
        screen.row(name, &now.with_ages(&format!("{place}{key}{}{help}", text(&problem["message"]))));
    }
    if all.len() > SHOWN {
        let more = counted(all.len() - SHOWN, &format!("more {name}"));
        screen.row("", &format!("and {more}; `harmony-host check` and --json show all"));
    }
}

/// Returns the first digits of a digest.
fn short(digest: &Value) -> String {
    digest.as_str().map_or_else(|| "-".to_owned(), |digest| digest.chars().take(12).collect())
}
