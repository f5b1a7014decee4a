//! The mutation test: for each mutant, the check that belongs to its fault must fail.

use provider_api::testkit::run_only;

use crate::mutation::{MUTATIONS, Mutation};
use crate::world::ReferenceSubject;

/// Runs the group of the expected check on each mutant, and asserts that the expected check fails.
#[expect(clippy::print_stdout, reason = "the table is visible with --nocapture")]
async fn assert_killed(mutants: impl Iterator<Item = &'static (Mutation, &'static str)>) {
    let mut survivors = Vec::new();
    for (mutation, expected) in mutants {
        let subject = ReferenceSubject { mutation: *mutation, paused: true };
        let group = expected.split_once("::").unwrap().0;
        let report = run_only(&subject, &format!("{group}::")).await;
        let failed: Vec<String> = report.failed().iter().map(|line| line.check.to_string()).collect();
        let others = failed.iter().filter(|name| name != expected).count();
        println!("{:34} {expected} (and {others} more of {group})", format!("{mutation:?}"));
        if !failed.iter().any(|name| name == expected) {
            survivors.push(format!("{mutation:?} survived {expected}; failed: {failed:?}"));
        }
    }
    assert!(survivors.is_empty(), "{survivors:#?}");
}

#[tokio::test(start_paused = true)]
async fn even_mutants_fail_their_check() {
    assert_killed(MUTATIONS.iter().step_by(2)).await;
}

// Two tests, so that they run in parallel.
#[tokio::test(start_paused = true)]
async fn odd_mutants_fail_their_check() {
    assert_killed(MUTATIONS.iter().skip(1).step_by(2)).await;
}

#[test]
fn there_are_many_mutants() {
    assert!(MUTATIONS.len() >= 40, "{}", MUTATIONS.len());
}
