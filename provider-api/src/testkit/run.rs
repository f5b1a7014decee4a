//! Running the checks.

use std::io::Write as _;

use super::Subject;
use super::catch_panic::catch_panic;
use super::list::{Check, checks};
use super::outcome::Outcome;
use super::report::{Line, Report};

/// Runs all checks, one after the other.
pub async fn run(subject: &dyn Subject) -> Report {
    let mut lines = Vec::new();
    for check in checks() {
        let outcome = outcome(subject, &check).await;
        lines.push(Line { check, outcome });
    }
    Report { lines }
}

/// Runs the checks whose full name (`group::name`) contains `part`.
pub async fn run_only(subject: &dyn Subject, part: &str) -> Report {
    let mut lines = Vec::new();
    for check in checks().into_iter().filter(|check| check.to_string().contains(part)) {
        let outcome = outcome(subject, &check).await;
        lines.push(Line { check, outcome });
    }
    Report { lines }
}

/// Runs one check and panics when the provider fails it. The tests of [`conformance!`](crate::conformance)
/// call it.
///
/// # Panics
/// Panics when the check fails, or when no check has this group and name.
#[expect(clippy::panic, reason = "that is how a test fails")]
pub async fn demand(subject: &dyn Subject, group: &str, name: &str) {
    let found = checks().into_iter().find(|check| check.group == group && check.name == name);
    let Some(check) = found else { panic!("no check has the name {group}::{name}") };
    match outcome(subject, &check).await {
        Outcome::Passed => {}
        Outcome::Failed(why) => panic!("{check}: {why}"),
        // Not `eprintln!`: the test harness captures its output and discards it when the test passes, so a
        // skipped check would look like a passed one. One write, since tests write in parallel.
        Outcome::Skipped(why) => {
            let line = format!("SKIPPED {check}: {why}\n");
            std::io::stderr().write_all(line.as_bytes()).ok();
        }
    }
}

async fn outcome(subject: &dyn Subject, check: &Check) -> Outcome {
    match catch_panic((check.run)(subject)).await {
        Ok(result) => result.into(),
        Err(panic) => Outcome::Failed(format!("the check panicked: {panic}")),
    }
}
