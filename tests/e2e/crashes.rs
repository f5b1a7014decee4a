//! A gateway that is killed at any step of a change: a sample of the `crash-matrix` program.

use futures_util::StreamExt as _;
use harmony_tests::crash::{run_all, sample};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_any_step_every_change_ends_in_one_verdict_that_a_request_agrees_with() {
    let outcomes: Vec<_> = run_all(sample(), 4).collect().await;
    let wrong = outcomes.iter().filter(|outcome| !outcome.wrong.is_empty());
    let told: Vec<String> =
        wrong.map(|each| format!("{}: {}\n{}", each.case, each.wrong.join("\n"), each.log)).collect();
    assert!(told.is_empty(), "{}", told.join("\n\n"));
}
