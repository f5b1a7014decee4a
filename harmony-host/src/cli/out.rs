//! The output of the command line: standard output, standard error, colours.

use std::io::{IsTerminal as _, Write as _};

use crate::diagnostics::escape::escape;
use crate::host::is_blank;

/// Writes to standard output. Errors are ignored: the reader of a pipe may close it early, as `head` does.
pub(super) fn print(text: &str) {
    let _ = std::io::stdout().write_all(text.as_bytes());
}

/// Writes an error message of one line to standard error. Messages repeat text of documents, providers and peers, so it is
/// escaped.
pub(super) fn error(text: &str) {
    let _ = writeln!(std::io::stderr(), "error: {}", escape(text));
}

/// Writes the remedy of an error to standard error, escaped as well.
pub(super) fn help(text: &str) {
    let _ = writeln!(std::io::stderr(), "help: {}", escape(text));
}

/// Writes to standard error.
pub(super) fn eprint(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// Returns whether standard output gets colours: it is a terminal, and NO_COLOR is not set (no-color.org).
pub(super) fn colour() -> bool {
    std::io::stdout().is_terminal() && colours_enabled()
}

/// Returns whether standard error gets colours.
pub(super) fn colour_of_errors() -> bool {
    std::io::stderr().is_terminal() && colours_enabled()
}

/// Returns whether NO_COLOR is unset or blank.
fn colours_enabled() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| is_blank(&value))
}
