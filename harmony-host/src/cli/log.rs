//! Logging.

use clap::{Args, ValueEnum};
use tracing_subscriber::EnvFilter;

use crate::cli::out;

/// How the gateway logs.
#[derive(Debug, Args)]
pub(super) struct Log {
    /// What to log, such as `info`, `debug` or `harmony_host=trace,warn`
    #[arg(long, value_name = "FILTER", default_value = "info", env = "RUST_LOG")]
    log: String,

    /// One line for people, or one JSON object, per event
    #[arg(long, value_enum, default_value_t = Format::Human)]
    log_format: Format,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    Human,
    Json,
}

impl Log {
    /// Starts logging to standard error.
    ///
    /// # Errors
    /// When the filter cannot be understood.
    pub(super) fn start(&self) -> Result<(), String> {
        let filter = EnvFilter::try_new(&self.log).map_err(|e| format!("--log {}: {e}", self.log))?;
        let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
        match self.log_format {
            Format::Human => builder.with_target(false).with_ansi(out::colour_of_errors()).init(),
            Format::Json => builder.json().init(),
        }
        Ok(())
    }
}
