//! `harmony-host man`: the manual pages.

use std::path::PathBuf;

use clap::Args;

use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::out;

/// The arguments of `man`.
#[derive(Debug, Args)]
pub(super) struct Man {
    /// The directory to write all pages to, that of each subcommand too [default: print the page of the program]
    #[arg(long, value_name = "DIRECTORY")]
    out: Option<PathBuf>,
}

impl Man {
    /// Prints or writes the pages of `command` and returns the exit code.
    pub(super) fn run(&self, command: clap::Command) -> Exit {
        let done = match &self.out {
            Some(directory) => {
                std::fs::create_dir_all(directory).and_then(|()| clap_mangen::generate_to(command, directory))
            }
            None => {
                let mut page = Vec::new();
                let rendered = clap_mangen::Man::new(command).render(&mut page);
                rendered.map(|()| out::print(&String::from_utf8_lossy(&page)))
            }
        };
        match done {
            Ok(()) => Exit::Done,
            Err(error) => Failure::new(Exit::Machine, format!("cannot write the pages: {error}")).print(),
        }
    }
}
