//! The test that no check is vacuous: a check that no mutant fails proves nothing.

use std::collections::BTreeSet;

use provider_api::testkit::{Outcome, checks, run_only};

use crate::mutation::MUTATIONS;
use crate::world::ReferenceSubject;

/// The groups of exchanges, which all have the same checks.
const EXCHANGES: [&str; 8] = ["pending", "fetch", "report", "resolve", "issue", "keys", "enroll", "publish"];

/// Returns the id of a check, with the same group for all exchanges.
fn without_exchange(check: &str) -> String {
    match check.split_once("::") {
        Some((group, name)) if EXCHANGES.contains(&group) => format!("exchange::{name}"),
        _ => check.to_owned(),
    }
}

#[tokio::test(start_paused = true)]
async fn every_check_fails_for_some_mutant() {
    let mut unproven: BTreeSet<String> =
        checks().iter().map(|check| without_exchange(&check.to_string())).collect();
    // `mutants.rs` proves the checks that belong to a mutant.
    for (_, expected) in MUTATIONS {
        unproven.remove(&without_exchange(expected));
    }
    for (mutation, _) in MUTATIONS {
        let subject = ReferenceSubject { mutation: *mutation, paused: true };
        for check in checks() {
            if unproven.contains(&without_exchange(&check.to_string())) {
                for line in run_only(&subject, &check.to_string()).await.lines {
                    if matches!(line.outcome, Outcome::Failed(_)) {
                        unproven.remove(&without_exchange(&line.check.to_string()));
                    }
                }
            }
        }
    }
    assert!(unproven.is_empty(), "no mutant fails these checks: {unproven:#?}");
}
