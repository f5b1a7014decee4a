//! Masking of secrets in the text of configuration files.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::diagnostics::bare::lex;

/// Words that mark a key as sensitive: its value is masked.
const SENSITIVE: [&str; 9] = [
    "secret",
    "password",
    "passphrase",
    "passwd",
    "token",
    "private_key",
    "api_key",
    "credential",
    "authorization",
];

/// Replaces the value of every sensitive key, and the user information of every URL, with asterisks. Each byte becomes
/// one asterisk, so spans in the text stay valid.
pub(crate) fn mask_secrets(text: &str) -> String {
    let mut bytes = mask_lines(text).into_bytes();
    // Text that is not valid TOML can only be masked line by line. Nested values and keys with escapes are only found
    // by parsing. So both are done.
    let (toml, _) = lex(text);
    let (document, _) = DeTable::parse_recoverable(&toml);
    let mut spans = Vec::new();
    find_sensitive(document.get_ref(), text, &mut spans);
    for span in spans {
        let value = bytes.get_mut(span).unwrap_or_default();
        value.iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b'*');
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.bytes().map(mask).collect())
}

/// Adds the spans of the values of sensitive keys. A section with a sensitive name, such as `[pipelines.token]`, is
/// not masked as a whole; the keys in it decide.
fn find_sensitive(table: &DeTable<'_>, text: &str, spans: &mut Vec<Range<usize>>) {
    for (key, value) in table {
        let key = key.get_ref().to_ascii_lowercase();
        find_in_value(value, SENSITIVE.iter().any(|word| key.contains(word)), text, spans);
    }
}

fn find_in_value(value: &Spanned<DeValue<'_>>, sensitive: bool, text: &str, spans: &mut Vec<Range<usize>>) {
    let section = |value: &Spanned<DeValue<'_>>| {
        value.get_ref().is_table() && !text.get(value.span()).is_some_and(|written| written.starts_with('{'))
    };
    match value.get_ref() {
        DeValue::Array(items) if !sensitive || items.iter().any(section) => {
            items.iter().for_each(|item| find_in_value(item, sensitive, text, spans));
        }
        DeValue::Table(table) if !sensitive || section(value) => find_sensitive(table, text, spans),
        _ if sensitive => spans.push(value.span()),
        _ => {}
    }
}

/// Masks line by line, without parsing.
fn mask_lines(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    // The delimiter that ends the current multi-line value.
    let mut until: Option<&str> = None;
    for line in text.split_inclusive('\n') {
        if let Some(end) = until {
            out.extend(line.bytes().map(mask));
            if line.contains(end) {
                until = None;
            }
            continue;
        }
        let Some(value_at) = sensitive_value(line) else {
            out.push_str(&mask_user_info(line));
            continue;
        };
        let (key, value) = line.split_at(value_at);
        out.push_str(key);
        out.extend(value.bytes().map(mask));
        until = [("\"\"\"", "\"\"\""), ("'''", "'''"), ("[", "]")]
            .into_iter()
            .find(|(start, end)| value.starts_with(start) && !value[start.len()..].contains(end))
            .map(|(_, end)| end);
    }
    out
}

/// Masks `user:password` in every `scheme://user:password@host` of a line.
fn mask_user_info(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        out.push_str(before);
        let authority = after.find(['/', '"', '\'', ' ', '\n']).unwrap_or(after.len());
        let user = after[..authority].rfind('@').unwrap_or(0);
        out.extend(after[..user].bytes().map(mask));
        rest = &after[user..];
    }
    out.push_str(rest);
    out
}

fn mask(byte: u8) -> char {
    if byte == b'\n' { '\n' } else { '*' }
}

/// Returns the offset of the first value of a sensitive key in `line`.
fn sensitive_value(line: &str) -> Option<usize> {
    let lower = line.to_ascii_lowercase();
    let key = SENSITIVE.iter().filter_map(|word| lower.find(word)).min()?;
    let after = lower.get(key..)?.find('=')?;
    let value = key + after + 1;
    let blank = line.get(value..)?.bytes().take_while(|b| *b == b' ').count();
    Some(value + blank)
}

#[cfg(test)]
mod tests {
    use super::mask_secrets;

    #[test]
    fn masking_keeps_offsets() {
        for value in [
            "token = \"\"\"\nhunter2é\n\"\"\"",
            "tokens = [\n  \"hunter2\",\n]",
            "secret = '''hunter2'''",
            "url = \"http://me:hunter2@a/x@y\"",
            "x = { token = \"a\", secret = \"\"\"\nhunter2\"\"\" }",
            "tokens = { a = [\n  \"hunter2\",\n] }",
            "secrets = [\n  [\"a\"],\n  \"hunter2\",\n]",
            "\"\\u0074oken\" = \"hunter2\"",
        ] {
            let text = format!("a = 1\n{value}\nb = 2\n");
            let hidden = mask_secrets(&text);
            assert_eq!(hidden.len(), text.len());
            assert!(!hidden.contains("hunter2"), "{hidden}");
            assert!(hidden.ends_with("b = 2\n"), "{hidden}");
        }
    }

    #[test]
    fn sections_with_sensitive_names_are_shown() {
        let text = "[pipelines.token-exchange]\nnetworks = [\"n\"]\n[[tokens]]\nname = \"a\"\nsecret = \"hunter2\"\n";
        let hidden = mask_secrets(text);
        assert!(hidden.contains("networks = [\"n\"]") && hidden.contains("name = \"a\""), "{hidden}");
        assert!(!hidden.contains("hunter2"), "{hidden}");
    }
}
