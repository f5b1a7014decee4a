//! The options of the access log.

use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, ValueEnum};

use crate::access_log::{AccessLog, Format, Target};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;

/// The options of the access log.
#[derive(Debug, Args)]
pub(super) struct AccessLogOptions {
    /// Write one line for each request, without the query. Off by default
    #[arg(long, value_enum, value_name = "FORMAT")]
    access_log: Option<LineFormat>,

    /// The file of the access log, which SIGHUP opens again; `-` for standard output
    #[arg(long, value_name = "PATH", default_value = "-", requires = "access_log")]
    access_log_file: PathBuf,

    /// Write one in N requests to the access log, and every error
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..),
          requires = "access_log")]
    access_log_sample: u64,
}

/// The format of a line.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum LineFormat {
    /// A JSON object
    Json,
    /// The Common Log Format of web servers, with further fields
    Common,
}

impl AccessLogOptions {
    /// Starts the access log, if it is wanted.
    ///
    /// # Errors
    /// The file cannot be opened, or the operating system denies a thread.
    pub(super) fn start(&self) -> Result<Option<Arc<AccessLog>>, Failure> {
        let Some(format) = self.access_log else { return Ok(None) };
        let format = match format {
            LineFormat::Json => Format::Json,
            LineFormat::Common => Format::Common,
        };
        let path = &self.access_log_file;
        let target = match path.as_os_str() == "-" {
            true => Target::Stdout,
            false => Target::File(path.clone()),
        };
        let started = AccessLog::start(format, target, self.access_log_sample);
        let failed =
            |error| Failure::new(Exit::Machine, format!("--access-log-file {}: {error}", path.display()));
        started.map(Some).map_err(failed)
    }
}
