//! The demo, as the README's first command runs it.

use tokio::process::Command;

async fn demo(arguments: &[&str]) -> (i32, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_demo"));
    let output = command.args(arguments).kill_on_drop(true).output().await.unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
}

#[tokio::test]
async fn every_step_of_the_demo_does_what_it_should() {
    let (code, told) = demo(&["--once", "--listen", "127.0.0.1:0"]).await;
    assert_eq!(code, 0, "{told}");
    for step in [
        "the control plane is up",
        "is authorized by a user of its team",
        "the ingress `dicomweb` arrived by sync",
        "without a token, is refused: 403",
        "with a token of the control plane: mesh \"imaging\"",
        "asked the control plane for nothing",
        "an edit is live",
        "a broken edit is rejected",
        "there is no [endpoints.studdies]",
        "none failed",
        "Primary Provider = Local is applied and reported",
        "it follows again",
        "Every step did what it should",
    ] {
        assert!(told.contains(step), "no `{step}` in {told}");
    }
    assert!(!told.contains('\u{1b}'), "no colour beside a terminal");
}

#[tokio::test]
async fn a_command_line_that_is_wrong_is_said_so() {
    assert_eq!(demo(&["--twice"]).await.0, 2);
}
