//! The logging options, and the set-up of logging.

use std::fmt::{self, Write as _};
use std::io;

use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use tracing::field::Field;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::MakeExt as _;
use tracing_subscriber::fmt::format::{Writer, debug_fn};

use crate::cli::out;
use crate::diagnostics::escape::{Escaped, Escaper, is_unsafe};
use crate::diagnostics::logged::{SHOWN, counted, more};
use crate::diagnostics::problem::{Problem, Severity};
use crate::diagnostics::redaction::redact;
use crate::diagnostics::rejection::Rejection;
use crate::diagnostics::render::render;
use crate::status::timestamp;

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
            Format::Json => builder.json().with_writer(|| JsonLines(std::io::stderr())).init(),
        }
        log_panics();
        Ok(())
    }

    /// Reports that the configuration was rejected at the start, whatever the filter: the process ends without it.
    pub(super) fn refused(&self, rejection: &Rejection) {
        let errors = rejection.problems.sorted_errors();
        let count = counted(errors.len(), "problem");
        let summary = format!("the configuration was rejected ({}); {count}", rejection.class);
        match self.log_format {
            Format::Human => {
                let shown: Vec<_> = errors.iter().take(SHOWN).copied().collect();
                let warnings = rejection
                    .problems
                    .sorted()
                    .into_iter()
                    .filter(|problem| problem.severity == Severity::Warning);
                let room = SHOWN - shown.len();
                let shown = shown.into_iter().chain(warnings.take(room));
                out::eprint(&render(shown, out::colour_of_errors()));
                if let Some(more) = more(errors.len()) {
                    out::eprint(&format!("{more}\n\n"));
                }
                out::error(&summary);
            }
            Format::Json => {
                for problem in errors.iter().take(SHOWN) {
                    write_json(&problem_fields(problem));
                }
                if let Some(more) = more(errors.len()) {
                    write_json(&json!({ "message": more }));
                }
                write_json(
                    &json!({ "message": summary, "class": rejection.class.to_string(), "problems": errors.len() }),
                );
            }
        }
    }

    /// Reports why the gateway cannot start, whatever the filter.
    pub(super) fn failed(&self, message: &str) {
        match self.log_format {
            Format::Human => out::error(message),
            Format::Json => write_json(&json!({ "message": message })),
        }
    }
}

/// Logs panics as events: the text of a panic may repeat a document, and has lines of its own.
fn log_panics() {
    std::panic::set_hook(Box::new(|info| {
        let payload = info.payload();
        let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let text = text.or_else(|| payload.downcast_ref::<String>().cloned());
        let location = info.location().map(ToString::to_string);
        let backtrace = std::backtrace::Backtrace::capture();
        let backtrace =
            (backtrace.status() == std::backtrace::BacktraceStatus::Captured).then(|| backtrace.to_string());
        tracing::error!(
            location,
            backtrace,
            "a thread panicked: {}",
            Escaped(text.as_deref().unwrap_or("without a message"))
        );
    }));
}

/// Returns the fields of a problem as a JSON object.
fn problem_fields(problem: &Problem) -> Value {
    let mut fields = json!({ "message": problem.message, "key": problem.key });
    if let Some(place) = &problem.place {
        fields["file"] = place.file().into();
        fields["line"] = place.line().into();
    }
    if let Some(help) = &problem.help {
        fields["help"] = help.as_str().into();
    }
    fields
}

/// Writes an error as one line, in the form of the events of the log.
fn write_json(fields: &Value) {
    let event = json!({
        "timestamp": timestamp(std::time::SystemTime::now()).to_string(),
        "level": "ERROR",
        "fields": fields,
        "target": "harmony_host",
    });
    let _ = io::Write::write(&mut JsonLines(io::stderr()), format!("{event}\n").as_bytes());
}

/// A writer of JSON events. It is given whole events. Beyond [`Redacted`], it escapes the characters that command a
/// terminal or reorder text: JSON permits them in strings.
struct JsonLines<W>(W);

impl<W: io::Write> io::Write for JsonLines<W> {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        let mut line = String::with_capacity(text.len());
        for c in redact(text.trim_end_matches('\n')).chars() {
            match is_unsafe(c) {
                // All of them are in the basic plane, so one escape is enough.
                true => write!(line, "\\u{:04x}", u32::from(c)).map_err(io::Error::other)?,
                false => line.push(c),
            }
        }
        line.push('\n');
        self.0.write_all(line.as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
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
    match field.name() {
        "message" => write!(Escaper(writer), "{value:?}"),
        _ => write!(Escaper(writer), "{}", single_quotes(&format!("{value:?}"))),
    }
}

/// Replaces the escaped quotation marks within a quoted value by single ones, which are easier to read.
fn single_quotes(value: &str) -> String {
    let mut shown = String::with_capacity(value.len());
    let mut characters = value.chars();
    while let Some(c) = characters.next() {
        match (c, c == '\\') {
            (_, true) => match characters.next() {
                Some('"') => shown.push('\''),
                next => shown.extend([Some(c), next].into_iter().flatten()),
            },
            (c, false) => shown.push(c),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_values_are_readable_and_end_where_they_end() {
        for (value, shown) in [
            ("said \"no\"", "\"said 'no'\""),
            ("C:\\", "\"C:\\\\\""),
            ("a\\\"b", "\"a\\\\'b\""),
            ("\u{1b}[2J", "\"\\u{1b}[2J\""),
        ] {
            assert_eq!(single_quotes(&format!("{value:?}")), shown);
        }
    }
}
