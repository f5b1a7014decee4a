//! Commands of the real binary, and their output.

use std::path::Path;

use harmony_tests::binary;
use serde_json::Value;
use tokio::process::Command;

/// The output and the exit code of a command.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    #[track_caller]
    pub(crate) fn expect(self, code: i32, texts: &[&str]) -> Self {
        assert_eq!(self.code, code, "{self:?}");
        for text in texts {
            let is_there = self.out.contains(text) || self.err.contains(text);
            assert!(is_there, "{text:?} is missing:\n{}{}", self.out, self.err);
        }
        self
    }

    #[track_caller]
    pub(crate) fn lacks(self, texts: &[&str]) -> Self {
        for text in texts {
            assert!(!self.out.contains(text) && !self.err.contains(text), "{text:?}: {self:?}");
        }
        self
    }
}

/// Runs a command on a configuration, with the state directory of a gateway that was started on it.
pub(crate) async fn run(config: &Path, arguments: &[&str]) -> Ran {
    let program = tokio::task::spawn_blocking(binary).await.unwrap();
    let mut command = Command::new(program);
    command.args(arguments).arg("--config").arg(config).env("HOME", config.parent().unwrap());
    for name in
        ["RUST_LOG", "HARMONY_CONFIG", "HARMONY_MANAGEMENT_TOKEN", "HARMONY_STATE_DIR", "STATE_DIRECTORY"]
    {
        command.env_remove(name);
    }
    let output = command.kill_on_drop(true).output().await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran {
        code: output.status.code().expect("an exit code"),
        out: text(output.stdout),
        err: text(output.stderr),
    }
}
