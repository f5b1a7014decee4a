//! The logging options, and the set-up of logging.

mod directives;
mod levels;
mod queue;
mod sink;

use std::fmt::{self, Write as _};
use std::io::{self, Write as _};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use tracing::field::Field;
use tracing_subscriber::field::MakeExt as _;
use tracing_subscriber::fmt::format::{Writer, debug_fn};

use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::log::directives::Directives;
use crate::cli::log::levels::LevelControl;
use crate::cli::log::queue::Queue;
use crate::cli::log::sink::Sink;
use crate::cli::out;
use crate::cli::panics::log_panics;
use crate::diagnostics::escape::{Escaper, escape, is_unsafe};
use crate::diagnostics::logged::{SHOWN, counted, more};
use crate::diagnostics::problem::{Problem, Severity};
use crate::diagnostics::redaction::redact;
use crate::diagnostics::rejection::Rejection;
use crate::diagnostics::render::render;
use crate::host::{Levels, LogLevels};
use crate::status::timestamp;

/// The time that the log gets at the end of the process to write its last lines.
const FINISH: Duration = Duration::from_secs(1);

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
    /// The filter is not valid, or the operating system denies a thread.
    pub(super) fn start(&self) -> Result<Logging, Failure> {
        let at_start = Directives::of_start(&self.log);
        let filter =
            at_start.filter().map_err(|e| Failure::new(Exit::Usage, format!("--log {}: {e}", self.log)))?;
        let note = match self.log_format {
            Format::Human => human_note,
            Format::Json => json_note,
        };
        let queue = Queue::start(Sink::new(io::stderr(), note))
            .map_err(|e| Failure::new(Exit::Machine, format!("cannot start the thread of the log: {e}")))?;
        let writer = queue.clone();
        // An event that cannot be formatted must not be reported on standard error, past the queue.
        let builder = tracing_subscriber::fmt().with_env_filter(filter).log_internal_errors(false);
        let levels = match self.log_format {
            Format::Human => {
                let fields = debug_fn(write_field).delimited(" ");
                let builder = builder.with_target(false).with_ansi(out::colour_of_errors());
                let builder = builder.with_writer(move || Redacted(writer.clone())).fmt_fields(fields);
                let builder = builder.with_filter_reloading();
                let filter = builder.reload_handle();
                builder.init();
                LevelControl::new(at_start, Box::new(move |new| filter.reload(new)))
            }
            Format::Json => {
                let builder = builder.json().with_writer(move || JsonLines(writer.clone()));
                let builder = builder.with_filter_reloading();
                let filter = builder.reload_handle();
                builder.init();
                LevelControl::new(at_start, Box::new(move |new| filter.reload(new)))
            }
        };
        log_panics();
        Ok(Logging { format: self.log_format, queue, levels })
    }
}

/// The log of a running command. Writing to it neither waits for its reader nor fails.
#[derive(Debug)]
pub(super) struct Logging {
    format: Format,
    queue: Queue,
    levels: LevelControl,
}

impl Logging {
    /// Reports that the configuration was rejected at the start, whatever the filter: the process ends without it.
    pub(super) fn refused(&self, rejection: &Rejection) {
        let errors = rejection.problems.sorted_errors();
        let count = counted(errors.len(), "problem");
        let summary = format!("the configuration was rejected ({}); {count}", rejection.class);
        match self.format {
            Format::Human => {
                let shown: Vec<_> = errors.iter().take(SHOWN).copied().collect();
                let warnings = rejection
                    .problems
                    .sorted()
                    .into_iter()
                    .filter(|problem| problem.severity == Severity::Warning);
                let room = SHOWN - shown.len();
                let shown = shown.into_iter().chain(warnings.take(room));
                self.write(&render(shown, out::colour_of_errors()));
                if let Some(more) = more(errors.len()) {
                    self.write(&format!("{more}\n\n"));
                }
                self.write(&out::error_line(&summary));
            }
            Format::Json => {
                for problem in errors.iter().take(SHOWN) {
                    self.write_json(&problem_fields(problem));
                }
                if let Some(more) = more(errors.len()) {
                    self.write_json(&json!({ "message": more }));
                }
                self.write_json(
                    &json!({ "message": summary, "class": rejection.class.to_string(), "problems": errors.len() }),
                );
            }
        }
    }

    /// Returns the control of the levels.
    pub(super) fn levels(&self) -> Arc<dyn LogLevels> {
        Arc::new(self.levels.clone())
    }

    /// Makes the gateway's own events appear from the level `debug` on, or no longer. Returns the levels.
    ///
    /// # Errors
    /// Unavailable when the subscriber is gone.
    pub(super) fn toggle_debug(&self) -> provider_api::Result<Levels> {
        self.levels.toggle_debug()
    }

    /// Writes a line that an operator has asked for, whatever the filter.
    pub(super) fn say(&self, message: &str) {
        match self.format {
            Format::Human => {
                self.write(&format!("{}  INFO {}\n", timestamp(SystemTime::now()), escape(message)));
            }
            Format::Json => {
                let event = json_event("INFO", &json!({ "message": message }));
                let _ = JsonLines(self.queue.clone()).write_all(event.as_bytes());
            }
        }
    }

    /// Reports why the gateway cannot start, whatever the filter.
    pub(super) fn failed(&self, message: &str) {
        match self.format {
            Format::Human => self.write(&out::error_line(message)),
            Format::Json => self.write_json(&json!({ "message": message })),
        }
    }

    /// Waits until the log is written, for at most a second. Blocks the thread.
    pub(super) fn finish(&self) {
        self.queue.finish(FINISH);
    }

    fn write(&self, text: &str) {
        let _ = self.queue.clone().write_all(text.as_bytes());
    }

    /// Writes an error as one line, in the form of the events of the log.
    fn write_json(&self, fields: &Value) {
        let _ = JsonLines(self.queue.clone()).write_all(json_event("ERROR", fields).as_bytes());
    }
}

/// Returns a warning of the log itself, in the form of its events.
fn human_note(text: &str) -> String {
    format!("{}  WARN {text}\n", timestamp(SystemTime::now()))
}

/// Returns a warning of the log itself as a JSON event.
fn json_note(text: &str) -> String {
    json_event("WARN", &json!({ "message": text }))
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

/// Returns a line in the form of the JSON events of the log.
fn json_event(level: &str, fields: &Value) -> String {
    let timestamp = timestamp(SystemTime::now()).to_string();
    let event = json!({ "timestamp": timestamp, "level": level, "fields": fields, "target": "harmony_host" });
    format!("{event}\n")
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
