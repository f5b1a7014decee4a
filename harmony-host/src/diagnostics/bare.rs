//! Variables that stand outside of strings, such as `bind_port = $PORT`, which is no TOML.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::OnceLock;

/// A variable outside of a string, where a value may stand.
#[derive(Debug)]
pub(crate) struct Bare {
    /// The bytes of the variable, with the dollar sign.
    pub(crate) span: Range<usize>,
    /// The name.
    pub(crate) name: String,
    /// The value, once it was looked up: a parsed document borrows it.
    pub(crate) value: OnceLock<String>,
}

/// Returns `text` as TOML: each variable outside of a string is replaced by a string of the same length, so that spans
/// stay valid. Comments and strings of every kind are left alone.
pub(crate) fn lex(text: &str) -> (Cow<'_, str>, Vec<Bare>) {
    let mut found = Vec::new();
    let (mut at, mut before) = (0, b'\n');
    while let Some(byte) = text.as_bytes().get(at).copied() {
        let end = match byte {
            b'#' => text[at..].find('\n').map_or(text.len(), |length| at + length),
            b'"' | b'\'' => end_of_string(text, at, byte),
            b'$' if matches!(before, b'=' | b',' | b'[') => match variable(&text[at..]) {
                Some((name, length)) => {
                    found.push(Bare { span: at..at + length, name: name.to_owned(), value: OnceLock::new() });
                    at + length
                }
                None => at + 1,
            },
            _ => at + 1,
        };
        if !matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | b'#') {
            before = byte;
        }
        at = end;
    }
    if found.is_empty() {
        return (Cow::Borrowed(text), found);
    }
    let (mut toml, mut copied) = (String::with_capacity(text.len()), 0);
    for Bare { span, .. } in &found {
        toml.push_str(&text[copied..span.start]);
        toml.push('\'');
        toml.extend(std::iter::repeat_n('_', span.len().saturating_sub(2)));
        toml.push('\'');
        copied = span.end;
    }
    toml.push_str(&text[copied..]);
    (Cow::Owned(toml), found)
}

/// Returns the name of the variable at the start of `text`, and the length of `$NAME` or `${NAME}`.
pub(crate) fn variable(text: &str) -> Option<(&str, usize)> {
    let rest = text.strip_prefix('$')?;
    match rest.strip_prefix('{') {
        Some(braced) => {
            // Reads no further than the name: a text may have `${` at every second byte.
            let name = &braced[..name_length(braced)];
            (braced[name.len()..].starts_with('}') && !name.is_empty()).then_some((name, name.len() + 3))
        }
        None => match name_length(rest) {
            0 => None,
            length => Some((&rest[..length], length + 1)),
        },
    }
}

/// Returns the length of the variable name at the start of `text`: letters, digits and `_`, and no digit first.
pub(crate) fn name_length(text: &str) -> usize {
    let length = text.bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count();
    if text.starts_with(|c: char| c.is_ascii_digit()) { 0 } else { length }
}

/// Returns the offset behind the string that starts at `at`. A string that does not end, ends with its line or the text.
fn end_of_string(text: &str, at: usize, quote: u8) -> usize {
    let bytes = text.as_bytes();
    let triple = [quote; 3];
    let lines = bytes[at..].starts_with(&triple);
    let mut next = at + if lines { 3 } else { 1 };
    while let Some(byte) = bytes.get(next).copied() {
        match byte {
            b'\\' if quote == b'"' => next += 2,
            b'\n' if !lines => return next,
            _ if byte == quote && !lines => return next + 1,
            _ if lines && bytes[next..].starts_with(&triple) => {
                // Up to two quotes before the delimiter belong to the string.
                let quotes = bytes[next..].iter().take(5).take_while(|b| **b == quote).count();
                return next + quotes;
            }
            _ => next += 1,
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<String> {
        let (toml, found) = lex(text);
        assert_eq!(toml.len(), text.len());
        found.into_iter().map(|bare| bare.name).collect()
    }

    #[test]
    fn only_values_outside_of_strings_count() {
        assert_eq!(names("port = $PORT # $A\nb = [$B, ${C}]\n"), ["PORT", "B", "C"]);
        for text in [
            "a = \"$A\"",
            "a = '$A'",
            "# a = $A",
            "a = \"\"\"\nb = $A\n\"\"\"",
            "a = '''\nb = $A'''",
            "a = \"\"\"x\\\"\"\"\"\nb = 1 # = $A",
            "a = \"\\\\\" # = $A",
            "$A = 1",
            "a = $1",
            "a = $",
            "a = ${A",
            "a = ''''' = $A'''''",
        ] {
            assert_eq!(names(text), [""; 0], "{text}");
        }
        assert_eq!(lex("a = $A\nb = ${Bc}").0, "a = ''\nb = '___'");
    }
}
