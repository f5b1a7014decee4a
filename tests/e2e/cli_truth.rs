//! The output of `status`, `sync` and the other commands: true, with a remedy, and with an exit code of one
//! meaning.

mod escaping;
mod exit_codes;
mod proof;
mod served_address;
mod status_screen;

use std::path::Path;
use std::process::Output;

use harmony_tests::binary;
use tokio::process::Command;

/// Returns the binary with these arguments, and without variables of the machine that it would read.
fn command(home: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(binary());
    command.args(arguments).env("HOME", home).kill_on_drop(true);
    for name in
        ["RUST_LOG", "HARMONY_CONFIG", "HARMONY_MANAGEMENT_TOKEN", "HARMONY_STATE_DIR", "STATE_DIRECTORY"]
    {
        command.env_remove(name);
    }
    command
}

/// Returns the exit code and all output of a finished command.
fn ended(output: &Output) -> (i32, String) {
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.code().expect("an exit code"), text)
}

/// Runs a command and returns its exit code and output.
async fn run(home: &Path, arguments: &[&str]) -> (i32, String) {
    ended(&command(home, arguments).output().await.unwrap())
}
