//! The command line of the benchmark.

use std::net::SocketAddr;
use std::time::Duration;

use clap::{Parser, Subcommand, ValueEnum};

use crate::proxy;

/// Measures harmony-host beside a minimal hyper proxy.
#[derive(Debug, Parser)]
#[command(name = "bench")]
pub(crate) struct Arguments {
    /// Seconds of measurement per proxy and round, after a warm-up of a third of that
    #[arg(long, value_name = "SECONDS", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=600))]
    pub(crate) seconds: u32,

    /// Number of rounds; each measures all proxies in turn
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) rounds: u32,

    /// Number of edits to measure per number of pipelines
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=200))]
    pub(crate) reloads: u32,

    /// Numbers of pending changes to measure
    #[arg(long, value_name = "N", value_delimiter = ',', default_values_t = [100, 800, 3_000])]
    pub(crate) changes: Vec<usize>,

    /// Measure this part only
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
    /// From an edit to the first response that shows it
    Reload,
    /// From the start to the first response
    Start,
    /// Resident memory
    Memory,
    /// Lookups in the caches of references and tokens
    Caches,
    /// From the list of many pending changes to the verdicts
    Bulk,
    /// Proxying without request metrics, with them, and with an access log. Measured only if named
    Observability,
    /// Proxying beside nginx and haproxy. Takes about 8 minutes, and is measured only if named
    Proxy,
}

/// The roles of this binary when it runs itself as a child process.
#[derive(Clone, Copy, Debug, Subcommand)]
pub(crate) enum Mode {
    /// The minimal proxy, the baseline
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
    /// The duration of one measurement.
    pub(crate) fn window(&self) -> Duration {
        Duration::from_secs(self.seconds.into())
    }

    /// The duration of one warm-up.
    pub(crate) fn warm_up(&self) -> Duration {
        self.window() / 3
    }

    /// An upper bound of the duration of all load measurements.
    pub(crate) fn load_time(&self) -> Duration {
        let (each, measurements) = match self.only {
            Some(Only::Proxy) => {
                (self.window() + self.warm_up() + Duration::from_secs(1), proxy::MEASUREMENTS)
            }
            _ => (self.window() + self.warm_up(), 6),
        };
        each * self.rounds * measurements
    }
}
