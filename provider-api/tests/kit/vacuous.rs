//! A check that no wrong provider fails would prove nothing.

use std::collections::BTreeSet;

use provider_api::testkit::{Outcome, checks, run_only};

use crate::mutation::MUTATIONS;
use crate::world::ReferenceSubject;

/// Groups named after an exchange have the same checks.
const EXCHANGES: [&str; 8] = ["pending", "fetch", "report", "resolve", "issue", "keys", "enroll", "publish"];

/// What is promised, whichever exchange it is promised of.
fn promise(check: &str) -> String {
    match check.split_once("::") {
        Some((group, name)) if EXCHANGES.contains(&group) => format!("exchange::{name}"),
        _ => check.to_owned(),
    }
}

#[tokio::test(start_paused = true)]
async fn there_is_a_wrong_provider_for_every_check() {
    let mut unproven: BTreeSet<String> = checks().iter().map(|check| promise(&check.to_string())).collect();
    // Those that are named for a mutant are proven where the mutants are.
    for (_, expected) in MUTATIONS {
        unproven.remove(&promise(expected));
    }
    for (mutation, _) in MUTATIONS {
        let subject = ReferenceSubject { mutation: *mutation, paused: true };
        for check in checks() {
            if unproven.contains(&promise(&check.to_string())) {
                for line in run_only(&subject, &check.to_string()).await.lines {
                    if matches!(line.outcome, Outcome::Failed(_)) {
                        unproven.remove(&promise(&line.check.to_string()));
                    }
                }
            }
        }
    }
    assert!(unproven.is_empty(), "no mutant fails {unproven:#?}");
}
