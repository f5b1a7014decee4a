//! `harmony-host schema`: the JSON Schema of the configuration, or the same as a page.

use clap::Args;
use provider_api::Registry;

use crate::cli::exit::Exit;
use crate::cli::out;
use crate::config::keys::{json_schema, markdown};

/// The arguments of `schema`.
#[derive(Debug, Args)]
pub(super) struct Schema {
    /// Print a page for people, in Markdown
    #[arg(long)]
    markdown: bool,
}

impl Schema {
    /// Runs the command and returns the exit code.
    pub(super) fn run(&self, registry: &Registry) -> Exit {
        match self.markdown {
            true => out::print(&markdown(registry)),
            false => out::json(&json_schema()),
        }
        Exit::Done
    }
}
