//! Power cuts in the middle of an apply; the whole set is `power-cut`, see [`harmony_tests::power_cut_binary`].

use std::process::Stdio;

use harmony_tests::power_cut_binary;
use tokio::process::Command;

/// Every state that a power cut may leave is recovered to one true verdict. The first change makes the journal itself, and
/// the directories that it is in.
#[tokio::test(flavor = "multi_thread")]
async fn every_state_is_recovered() {
    let program = tokio::task::spawn_blocking(power_cut_binary).await.unwrap();
    for scenario in ["create", "replace"] {
        let mut command = Command::new(&program);
        command.args(["--only", scenario]).stdin(Stdio::null()).kill_on_drop(true);
        let output = command.output().await.unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && text.contains("states tried, 0 failures"), "{text}");
    }
}
