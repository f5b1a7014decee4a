//! A failed command: the exit code, the reason and the remedy.

use crate::cli::exit::Exit;
use crate::cli::out;

/// The failure of a command.
#[derive(Debug)]
pub(super) struct Failure {
    exit: Exit,
    message: String,
    help: Vec<String>,
}

impl Failure {
    /// Creates a failure with its reason, in one sentence.
    pub(super) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), help: Vec::new() }
    }

    /// Adds a remedy.
    #[must_use]
    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help.push(help.into());
        self
    }

    /// Prints the reason and the remedies, and returns the exit code.
    pub(super) fn print(&self) -> Exit {
        out::error(&self.message);
        self.help.iter().for_each(|help| out::help(help));
        self.exit
    }
}
