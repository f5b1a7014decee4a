//! Escaping of control characters in text from documents, providers and clients.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

/// Returns `text` with its control characters as escapes, such as `\n` and `\u{1b}`. Text of a document can
/// then neither start a new line in a log nor send an escape sequence to a terminal. Escaping is idempotent.
pub(crate) fn escape(text: &str) -> Cow<'_, str> {
    match text.contains(is_unsafe) {
        false => Cow::Borrowed(text),
        true => Cow::Owned(Escaped(text).to_string()),
    }
}

/// A value that is displayed with its control characters as escapes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Escaped<T>(pub(crate) T);

impl<T: fmt::Display> fmt::Display for Escaped<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(Escaper(f), "{}", self.0)
    }
}

/// A writer that escapes the text written to it.
pub(crate) struct Escaper<W>(pub(crate) W);

impl<W: fmt::Write> fmt::Write for Escaper<W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text;
        while let Some((at, c)) = rest.char_indices().find(|(_, c)| is_unsafe(*c)) {
            self.0.write_str(&rest[..at])?;
            match c {
                '\n' | '\r' | '\t' => write!(self.0, "{}", c.escape_debug())?,
                _ => write!(self.0, "{}", c.escape_unicode())?,
            }
            rest = &rest[at + c.len_utf8()..];
        }
        self.0.write_str(rest)
    }
}

/// Returns whether a character commands a terminal, breaks a line, or reorders the text around it.
pub(crate) fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_become_escapes() {
        let text = "a\nERROR b\r\u{1b}[2J\u{9b}1m\u{202e}é\\n";
        let escaped = escape(text);
        assert_eq!(escaped, "a\\nERROR b\\r\\u{1b}[2J\\u{9b}1m\\u{202e}é\\n");
        assert_eq!(escape(&escaped), escaped, "escaping twice changes nothing");
        assert!(matches!(escape("plain é"), Cow::Borrowed(_)));
    }
}
