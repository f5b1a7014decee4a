//! `harmony-host schema`: the JSON Schema of the configuration.

use clap::Args;

use crate::cli::exit::Exit;
use crate::cli::out;
use crate::config::keys::json_schema;

/// The arguments of `schema`.
#[derive(Debug, Args)]
pub(super) struct Schema {}

impl Schema {
    /// Runs the command and returns the exit code.
    pub(super) fn run(self) -> Exit {
        out::json(&json_schema());
        Exit::Done
    }
}
