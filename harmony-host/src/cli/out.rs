//! The output of the command line: standard output, standard error, colours.

use std::io::{IsTerminal as _, Write as _};

use serde_json::Value;

use crate::diagnostics::escape::{escape, is_unsafe};
use crate::host::is_blank;

/// Writes to standard output. Errors are ignored: the reader of a pipe may close it early, as `head` does.
pub(super) fn print(text: &str) {
    let _ = std::io::stdout().write_all(text.as_bytes());
}

/// Writes JSON to standard output. JSON leaves some characters as they are that command a terminal, such as U+009B, or
/// reorder text; they are written as escapes.
pub(super) fn json(value: &Value) {
    print(&(without_unsafe(&format!("{value:#}")) + "\n"));
}

/// Returns JSON with unsafe characters as escapes. Outside of strings JSON has none but line breaks.
fn without_unsafe(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            '\n' => escaped.push(c),
            c if is_unsafe(c) => {
                let units = &mut [0; 2];
                c.encode_utf16(units).iter().for_each(|unit| escaped.push_str(&format!("\\u{unit:04x}")));
            }
            c => escaped.push(c),
        }
    }
    escaped
}

/// Writes an error message of one line to standard error.
pub(super) fn error(text: &str) {
    eprint(&error_line(text));
}

/// Returns an error message of one line. Messages repeat text of documents, providers and peers, so it is escaped.
pub(super) fn error_line(text: &str) -> String {
    format!("error: {}\n", escape(text))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_stays_the_same_value_without_unsafe_characters() {
        let value = serde_json::json!({ "a\u{9b}": ["\u{202e}\n\u{1b}[2J\u{7f}\u{feff} \u{1f600}\u{e9}"] });
        let shown = without_unsafe(&format!("{value:#}"));
        assert!(!shown.contains(|c: char| is_unsafe(c) && c != '\n'), "{shown:?}");
        assert_eq!(serde_json::from_str::<Value>(&shown).unwrap(), value);
    }
}
