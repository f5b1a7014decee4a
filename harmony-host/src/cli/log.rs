//! The logging options, and the set-up of logging.

use clap::{Args, ValueEnum};
use tracing_subscriber::EnvFilter;

use crate::cli::out;

/// The logging options.
#[derive(Debug, Args)]
pub(super) struct Log {
    /// The filter for events, such as `info`, `debug` or `harmony_host=trace,warn`
    #[arg(long, value_name = "FILTER", default_value = "info", env = "RUST_LOG")]
    log: String,

    /// The format of an event: a line of text or a JSON object
    #[arg(long, value_enum, default_value_t = Format::Human)]
    log_format: Format,
}

/// The format of a log event.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    Human,
    Json,
}

impl Log {
    /// Starts logging to standard error.
    ///
    /// # Errors
    /// A message for a filter that is not valid.
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
