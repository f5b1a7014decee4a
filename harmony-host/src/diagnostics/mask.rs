use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Words in a key that mean its value is not for eyes.
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

/// Replaces every value behind a sensitive key, and the user part of every URL, with asterisks: byte for
/// byte, so that spans stay right.
pub(crate) fn masked(text: &str) -> String {
    let mut bytes = by_line(text).into_bytes();
    // Line by line is what can be done with a text that is no TOML; values that nest, or a key that is written with
    // escapes, are found by reading it.
    let (document, _) = DeTable::parse_recoverable(text);
    let mut spans = Vec::new();
    find(document.get_ref(), text, &mut spans);
    for span in spans {
        let value = bytes.get_mut(span).unwrap_or_default();
        value.iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b'*');
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.bytes().map(mask).collect())
}

/// Adds where the values behind sensitive keys stand. Below a section that is only called like a secret, the keys
/// decide.
fn find(table: &DeTable<'_>, text: &str, spans: &mut Vec<Range<usize>>) {
    for (key, value) in table {
        let key = key.get_ref().to_ascii_lowercase();
        find_in(value, SENSITIVE.iter().any(|word| key.contains(word)), text, spans);
    }
}

fn find_in(value: &Spanned<DeValue<'_>>, sensitive: bool, text: &str, spans: &mut Vec<Range<usize>>) {
    let section = |value: &Spanned<DeValue<'_>>| {
        value.get_ref().is_table() && !text.get(value.span()).is_some_and(|written| written.starts_with('{'))
    };
    match value.get_ref() {
        DeValue::Array(items) if !sensitive || items.iter().any(section) => {
            items.iter().for_each(|item| find_in(item, sensitive, text, spans));
        }
        DeValue::Table(table) if !sensitive || section(value) => find(table, text, spans),
        _ if sensitive => spans.push(value.span()),
        _ => {}
    }
}

fn by_line(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    // What ends a value that reaches over several lines.
    let mut within: Option<&str> = None;
    for line in text.split_inclusive('\n') {
        if let Some(end) = within {
            out.extend(line.bytes().map(mask));
            if line.contains(end) {
                within = None;
            }
            continue;
        }
        let Some(value_at) = sensitive_value(line) else {
            out.push_str(&without_users(line));
            continue;
        };
        let (key, value) = line.split_at(value_at);
        out.push_str(key);
        out.extend(value.bytes().map(mask));
        within = [("\"\"\"", "\"\"\""), ("'''", "'''"), ("[", "]")]
            .into_iter()
            .find(|(start, end)| value.starts_with(start) && !value[start.len()..].contains(end))
            .map(|(_, end)| end);
    }
    out
}

/// The line with `user:password` of `scheme://user:password@host` masked.
fn without_users(line: &str) -> String {
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

/// Where the first value behind a sensitive key starts in `line`.
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
    use super::masked;

    #[test]
    fn masking_keeps_every_offset_also_over_several_lines() {
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
            let hidden = masked(&text);
            assert_eq!(hidden.len(), text.len());
            assert!(!hidden.contains("hunter2"), "{hidden}");
            assert!(hidden.ends_with("b = 2\n"), "{hidden}");
        }
    }

    #[test]
    fn a_section_that_is_only_called_like_a_secret_can_be_read() {
        let text = "[pipelines.token-exchange]\nnetworks = [\"n\"]\n[[tokens]]\nname = \"a\"\nsecret = \"hunter2\"\n";
        let hidden = masked(text);
        assert!(hidden.contains("networks = [\"n\"]") && hidden.contains("name = \"a\""), "{hidden}");
        assert!(!hidden.contains("hunter2"), "{hidden}");
    }
}
