//! The demo, run with the README's first command.

use tokio::process::Command;

async fn demo(arguments: &[&str]) -> (i32, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_demo"));
    let output = command.args(arguments).kill_on_drop(true).output().await.unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
}

#[tokio::test]
async fn every_step_of_the_demo_succeeds() {
    let (code, output) = demo(&["--once", "--listen", "127.0.0.1:0"]).await;
    assert_eq!(code, 0, "{output}");
    for step in [
        "the control plane is up",
        "authorized by a user of its team",
        "the ingress `dicomweb` arrived by sync",
        "without a token, is rejected: 403",
        "with a token of the control plane: mesh \"imaging\"",
        "needed no call to the control plane",
        "an edit is live",
        "a broken edit is rejected",
        "there is no [endpoints.studdies]",
        "none failed",
        "Primary Provider = Local is applied and reported",
        "the gateway polls again",
        "Every step succeeded",
    ] {
        assert!(output.contains(step), "no `{step}` in {output}");
    }
    assert!(!output.contains('\u{1b}'), "the output has colours without a terminal");
}

#[tokio::test]
async fn a_wrong_command_line_exits_with_2() {
    assert_eq!(demo(&["--twice"]).await.0, 2);
}
