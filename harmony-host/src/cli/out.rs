//! Output of the command line.

use std::io::{IsTerminal as _, Write as _};

/// Writes to standard output. A closed pipe is the reader's wish, not an error.
pub(super) fn print(text: &str) {
    let _ = std::io::stdout().write_all(text.as_bytes());
}

/// Writes a line to standard error.
pub(super) fn error(text: &str) {
    let _ = writeln!(std::io::stderr(), "error: {text}");
}

/// Writes to standard error.
pub(super) fn eprint(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// Whether standard output may be coloured: it is a terminal, and nobody asked for none (no-color.org).
pub(super) fn colour() -> bool {
    std::io::stdout().is_terminal() && wanted()
}

/// Whether standard error may be coloured.
pub(super) fn colour_of_errors() -> bool {
    std::io::stderr().is_terminal() && wanted()
}

fn wanted() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}
