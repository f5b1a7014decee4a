//! Providers that are each wrong in one point: the check that names the fault must find it.

use provider_api::testkit::run_only;

use crate::mutation::{MUTATIONS, Mutation};
use crate::world::ReferenceSubject;

/// Runs the group of the check that is to notice each, and says which of the group did.
#[expect(clippy::print_stdout, reason = "the table is for whoever asks with --nocapture")]
async fn killed(mutants: impl Iterator<Item = &'static (Mutation, &'static str)>) {
    let mut survivors = Vec::new();
    for (mutation, expected) in mutants {
        let subject = ReferenceSubject { mutation: *mutation, paused: true };
        let group = expected.split_once("::").unwrap().0;
        let report = run_only(&subject, &format!("{group}::")).await;
        let failed: Vec<String> = report.failed().iter().map(|line| line.check.to_string()).collect();
        let others = failed.iter().filter(|name| name != expected).count();
        println!("{:28} {expected} (and {others} more of {group})", format!("{mutation:?}"));
        if !failed.iter().any(|name| name == expected) {
            survivors.push(format!("{mutation:?} survived {expected}; failed: {failed:?}"));
        }
    }
    assert!(survivors.is_empty(), "{survivors:#?}");
}

#[tokio::test(start_paused = true)]
async fn every_mutant_is_killed_by_the_check_that_names_its_fault() {
    killed(MUTATIONS.iter().step_by(2)).await;
}

#[tokio::test(start_paused = true)]
async fn every_other_mutant_as_well() {
    killed(MUTATIONS.iter().skip(1).step_by(2)).await;
}

#[test]
fn there_are_many_mutants() {
    assert!(MUTATIONS.len() >= 40, "{}", MUTATIONS.len());
}
