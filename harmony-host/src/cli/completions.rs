//! `harmony-host completions`: the completions of a shell.

use clap::Args;
use clap_complete::Shell;

use crate::cli::exit::Exit;
use crate::cli::out;

/// The arguments of `completions`.
#[derive(Debug, Args)]
pub(super) struct Completions {
    /// The shell
    shell: Shell,
}

impl Completions {
    /// Prints the completions of `command` and returns the exit code.
    pub(super) fn run(&self, mut command: clap::Command) -> Exit {
        let name = command.get_name().to_owned();
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut command, name, &mut script);
        out::print(&String::from_utf8_lossy(&script));
        Exit::Done
    }
}
