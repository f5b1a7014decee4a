//! The conforming provider passes all checks: as one test per check, and as one table.

use provider_api::testkit::{checks, run};

use crate::mutation::Mutation;
use crate::world::ReferenceSubject;

mod each {
    provider_api::conformance!(crate::world::ReferenceSubject {
        mutation: crate::mutation::Mutation::Nothing,
        paused: false,
    });
}

#[tokio::test(start_paused = true)]
#[expect(clippy::print_stdout, reason = "the table is visible with --nocapture")]
async fn the_conforming_provider_passes() {
    let report = run(&ReferenceSubject { mutation: Mutation::Nothing, paused: true }).await;
    println!("{report}");
    assert!(report.failed().is_empty(), "{report}");
    let skipped: Vec<String> = report.skipped().iter().map(|line| line.check.to_string()).collect();
    assert_eq!(skipped.len(), 3, "{skipped:?}");
}

#[test]
fn there_are_many_checks() {
    // A lower bound: it fails when a change of the macro loses a group.
    assert!(checks().len() >= 60, "{}", checks().len());
}
