//! The operation of a running gateway: pause and resume, log levels, health checks, signals, and its end; and the
//! files with which it is deployed.

mod authorize;
mod documents;
mod ends;
mod heartbeat;
mod image;
mod levels;
mod manifests;
mod pause;
mod service_manager;
mod unit;

use std::path::{Path, PathBuf};

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

/// Returns a path of the repository.
fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

/// Returns the text of a file of the repository.
fn file(path: &str) -> String {
    std::fs::read_to_string(repository(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The management token of deployed gateways.
const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// Returns the configuration of deploy/config on these ports of the loopback.
fn deployed(port: u16, admin: u16) -> Workdir {
    Workdir::copy_of(&repository("deploy/config"), |text| {
        let text = text.replace("= 8080", &format!("= {port}")).replace("= 9090", &format!("= {admin}"));
        text.replace("0.0.0.0", "127.0.0.1")
    })
}

/// Returns the seconds of a duration such as `15s` or `1min`.
fn seconds(text: &str) -> u64 {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let number: u64 = number.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
    match unit {
        "" | "s" => number,
        "m" | "min" => number * 60,
        unit => panic!("{text}: the unit {unit}"),
    }
}

/// Returns the value of an option of a command line, in seconds.
fn option(arguments: &[String], name: &str) -> u64 {
    let at = arguments.iter().position(|argument| argument == name);
    let at = at.unwrap_or_else(|| panic!("{arguments:?} has no {name}"));
    seconds(&arguments[at + 1])
}
