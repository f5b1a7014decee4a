use std::net::SocketAddr;
use std::time::Duration;

use clap::{Parser, Subcommand, ValueEnum};

/// Measures harmony-host beside the smallest hyper proxy.
#[derive(Debug, Parser)]
#[command(name = "bench")]
pub(crate) struct Arguments {
    /// How long each proxy is measured per round, in seconds; it is warmed up for a third of that
    #[arg(long, value_name = "SECONDS", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=600))]
    pub(crate) seconds: u32,

    /// How often all proxies are measured in turn
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) rounds: u32,

    /// How many edits are timed per number of pipelines
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=200))]
    pub(crate) reloads: u32,

    /// Measure only this
    #[arg(long, value_enum)]
    pub(crate) only: Option<Only>,

    /// Print one JSON object instead of tables
    #[arg(long)]
    pub(crate) json: bool,

    #[command(subcommand)]
    pub(crate) mode: Option<Mode>,
}

/// A part of the measurements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Only {
    /// Proxying without a mesh
    Plain,
    /// Proxying with mesh tokens
    Mesh,
    /// From an edit to its first answer
    Reload,
    /// From the start to the first answer
    Start,
    /// Resident memory
    Memory,
}

/// What this binary is when it runs itself.
#[derive(Clone, Copy, Debug, Subcommand)]
pub(crate) enum Mode {
    /// The proxy that everything is compared with
    #[command(hide = true)]
    SmallestProxy {
        #[arg(long)]
        listen: SocketAddr,
        #[arg(long)]
        upstream: SocketAddr,
    },
    /// The server behind the proxies
    #[command(hide = true)]
    Upstream {
        #[arg(long)]
        listen: SocketAddr,
    },
}

impl Arguments {
    /// How long one proxy is measured.
    pub(crate) fn window(&self) -> Duration {
        Duration::from_secs(self.seconds.into())
    }

    /// How long one proxy is warmed up.
    pub(crate) fn warm_up(&self) -> Duration {
        self.window() / 3
    }

    /// How long all load takes together, generously.
    pub(crate) fn load_time(&self) -> Duration {
        (self.window() + self.warm_up()) * self.rounds * 6
    }
}
