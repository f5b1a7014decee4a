//! What an operator does to a running gateway: pause and resume, log levels, health checks, signals, and its end; and the
//! files with which it is deployed.

mod ends;
mod heartbeat;
mod levels;
mod pause;
mod service_manager;

use std::path::Path;

use harmony_tests::site::{BASE, on_ports};
use harmony_tests::{Workdir, binary, free_port};
use tokio::process::Command;

/// The output and exit code of a command.
#[derive(Debug)]
struct Ran {
    code: i32,
    text: String,
}

impl Ran {
    #[track_caller]
    fn assert(self, code: i32, texts: &[&str]) -> Self {
        assert_eq!(self.code, code, "{}", self.text);
        for text in texts {
            assert!(self.text.contains(text), "{text:?} is missing:\n{}", self.text);
        }
        self
    }
}

/// Runs `harmony-host` on a configuration, with the state directory in `home`.
async fn run(config: &Path, home: &Path, arguments: &[&str]) -> Ran {
    let mut command = Command::new(binary());
    command.args(arguments).arg("--config").arg(config).env("HOME", home);
    for name in ["RUST_LOG", "HARMONY_CONFIG", "HARMONY_MANAGEMENT_TOKEN", "SUDO_USER"] {
        command.env_remove(name);
    }
    let output = command.env("USER", "olivia").output().await.unwrap();
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
    Ran { code: output.status.code().unwrap(), text }
}

/// Returns a configuration with these sections, the port of the network `public` and that of the management API.
fn configuration(sections: &str) -> (Workdir, u16, u16) {
    let (port, admin) = (free_port(), free_port());
    let dir = Workdir::new();
    dir.write("config.toml", &on_ports(&format!("{BASE}{sections}"), port, admin));
    (dir, port, admin)
}
