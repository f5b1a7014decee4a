//! `harmony-host metrics-reference`: the reference of the metrics, for docs/METRICS.md.

use clap::Args;

use crate::cli::exit::Exit;
use crate::cli::out;
use crate::metrics::reference;

/// The arguments of `metrics-reference`.
#[derive(Debug, Args)]
pub(super) struct MetricsReference {}

impl MetricsReference {
    /// Runs the command and returns the exit code.
    pub(super) fn run(&self) -> Exit {
        out::print(&reference());
        Exit::Done
    }
}
