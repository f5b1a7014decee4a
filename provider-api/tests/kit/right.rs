//! The provider that is right, check by check as an author would have it, and in one table.

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
#[expect(clippy::print_stdout, reason = "the table is for whoever asks with --nocapture")]
async fn the_right_provider_passes_every_check() {
    let report = run(&ReferenceSubject { mutation: Mutation::Nothing, paused: true }).await;
    println!("{report}");
    assert!(report.failed().is_empty(), "{report}");
    let skipped: Vec<String> = report.skipped().iter().map(|line| line.check.to_string()).collect();
    assert_eq!(skipped.len(), 3, "{skipped:?}");
}

#[test]
fn the_contract_has_many_points() {
    assert!(checks().len() >= 60, "{}", checks().len());
}
