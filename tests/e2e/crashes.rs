//! A sample of the crash matrix: a gateway killed at each failpoint.

use futures_util::StreamExt as _;
use harmony_tests::crash::{run_all, sample};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_change_survives_a_kill_at_any_step() {
    let outcomes: Vec<_> = run_all(sample(), 4).collect().await;
    let failed = outcomes.iter().filter(|outcome| !outcome.problems.is_empty());
    let reports: Vec<String> =
        failed.map(|each| format!("{}: {}\n{}", each.case, each.problems.join("\n"), each.log)).collect();
    assert!(
        reports.is_empty(),
        "every change has one verdict, and requests agree:\n{}",
        reports.join("\n\n")
    );
}
