//! Documents and what is secret in them: variables, masking, pushing, file modes, and text that is hostile.

use harmony_tests::site::{BASE, echo, on_ports};
use harmony_tests::{Gateway, Workdir, free_port};

/// A configuration with these sections on ports of its own.
fn workdir(sections: &str) -> Workdir {
    let config = on_ports(&format!("{BASE}{sections}"), free_port(), free_port());
    Workdir::with([("config.toml", config)])
}

/// Control characters of a document reach neither the log nor a terminal: no line of its own, no escape sequence.
#[tokio::test]
async fn control_characters_are_escaped() {
    let dir = workdir(&echo("a", "/a"));
    let mut gateway = Gateway::spawn(&dir.config(), &[]);
    gateway.wait_until_ready().await;
    let hostile = "\"\\u001b[2J\\nERROR forged \\u009b1m\\u202e\" = 1";
    dir.edit("config.toml", "service = \"http\"", &format!("service = \"http\"\n{hostile}"));
    gateway.wait_for_log("forged").await;
    for text in [gateway.log(), checked(&dir, 1)] {
        assert!(text.contains("\\u{1b}[2J\\nERROR forged \\u{9b}1m\\u{202e}"), "{text}");
        assert!(!text.contains(['\u{1b}', '\u{9b}', '\u{202e}']), "{text:?}");
        assert!(!text.lines().any(|line| line.starts_with("ERROR forged")), "{text}");
    }
}

/// The output of `harmony-host check` on the files in `dir`, which must end with `code`.
fn checked(dir: &Workdir, code: i32) -> String {
    let mut command = std::process::Command::new(harmony_tests::binary());
    let output = command.args(["check", "--config"]).arg(dir.config()).output().expect("harmony-host runs");
    let shown = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert_eq!(output.status.code(), Some(code), "{shown}");
    shown
}
