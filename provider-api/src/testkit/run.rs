use std::io::Write as _;

use super::list::{Check, checks};
use super::report::{Line, Report};
use super::verdict::Outcome;
use super::{Subject, caught};

/// Runs every check, one after the other.
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

/// Runs one check, and fails the test when the provider fails it. For [`conformance!`](crate::conformance).
///
/// # Panics
/// When the provider breaks the promise, or there is no such check.
#[expect(clippy::panic, reason = "that is how a test fails")]
pub async fn demand(subject: &dyn Subject, group: &str, name: &str) {
    let found = checks().into_iter().find(|check| check.group == group && check.name == name);
    let Some(check) = found else { panic!("there is no check {group}::{name}") };
    match outcome(subject, &check).await {
        Outcome::Passed => {}
        Outcome::Failed(why) => panic!("{check}: {why}"),
        // Not the macro: what it prints is swallowed in a test that passes, and nobody would hear of it.
        // In one piece, since other tests write as well.
        Outcome::Skipped(why) => {
            let line = format!("SKIPPED {check}: {why}\n");
            std::io::stderr().write_all(line.as_bytes()).ok();
        }
    }
}

async fn outcome(subject: &dyn Subject, check: &Check) -> Outcome {
    match caught::caught((check.run)(subject)).await {
        Ok(verdict) => verdict.into(),
        Err(panic) => Outcome::Failed(format!("it panicked: {panic}")),
    }
}
