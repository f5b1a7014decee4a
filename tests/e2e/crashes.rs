//! A sample of the crash matrix: a gateway killed at each failpoint.

use futures_util::StreamExt as _;
use harmony_tests::crash::{Case, read_only, run_all, sample};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_change_survives_a_kill_at_any_step() {
    check(sample()).await;
}

/// The steps that write files, with a configuration that is mounted read-only.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_change_in_an_overlay_survives_a_kill() {
    let writes =
        ["staged", "recorded", "part-written", "written", "committed", "displaced", "probed", "file-renamed"];
    let cases: Vec<Case> = sample().into_iter().filter(|case| writes.contains(&case.first.point)).collect();
    assert_eq!(cases.len(), writes.len() + 1, "and one that is killed twice");
    check(read_only(cases)).await;
}

async fn check(cases: Vec<Case>) {
    let outcomes: Vec<_> = run_all(cases, 4).collect().await;
    let failed = outcomes.iter().filter(|outcome| !outcome.problems.is_empty());
    let reports: Vec<String> =
        failed.map(|each| format!("{}: {}\n{}", each.case, each.problems.join("\n"), each.log)).collect();
    assert!(
        reports.is_empty(),
        "every change has one verdict, and requests agree:\n{}",
        reports.join("\n\n")
    );
}
