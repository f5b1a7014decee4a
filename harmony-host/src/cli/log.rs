//! The logging options, and the set-up of logging.

use std::fmt::{self, Write as _};
use std::io;

use clap::{Args, ValueEnum};
use tracing::field::Field;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::MakeExt as _;
use tracing_subscriber::fmt::format::{Writer, debug_fn};

use crate::cli::out;
use crate::diagnostics::escape::Escaper;
use crate::diagnostics::redaction::redact;

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
        let builder =
            tracing_subscriber::fmt().with_env_filter(filter).with_writer(|| Redacted(std::io::stderr()));
        match self.log_format {
            Format::Human => {
                let fields = debug_fn(write_field).delimited(" ");
                builder.with_target(false).with_ansi(out::colour_of_errors()).fmt_fields(fields).init();
            }
            Format::Json => builder.json().init(),
        }
        Ok(())
    }
}

/// A writer that replaces the values of environment variables that documents use. It is given whole events.
struct Redacted<W>(W);

impl<W: io::Write> io::Write for Redacted<W> {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let shown = redact(&String::from_utf8_lossy(event)).into_owned();
        self.0.write_all(shown.as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Writes one field of an event. Values are escaped: they repeat text of documents, providers and requests, which must
/// not begin a line of its own nor command the terminal.
fn write_field(writer: &mut Writer<'_>, field: &Field, value: &dyn fmt::Debug) -> fmt::Result {
    match (field.name(), writer.has_ansi_escapes()) {
        ("message", _) => {}
        (name, true) => write!(writer, "\x1b[3m{name}\x1b[0m\x1b[2m=\x1b[0m")?,
        (name, false) => write!(writer, "{name}=")?,
    }
    write!(Escaper(writer), "{value:?}")
}
