//! Masking of secrets in the text of configuration files.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::diagnostics::bare::{lex, variable};
use crate::diagnostics::broken::broken_values;
use crate::diagnostics::named_values::{is_named_value, named_items, names_a_value, names_next};
use crate::diagnostics::near_secret::has_random;
#[cfg(feature = "gateway")]
use crate::diagnostics::near_secret::without_random;
#[cfg(feature = "gateway")]
use crate::diagnostics::redaction::redact;
use crate::diagnostics::secret_names::looks_secret;
use crate::diagnostics::secret_values::{is_secret_value, secret_parts, url_parts};
use crate::diagnostics::sensitive::Sensitive;

/// Replaces every secret value, and the secret parts of every URL, with asterisks. Each byte becomes one asterisk, so
/// spans in the text stay valid.
pub(crate) fn mask_secrets(text: &str, sensitive: &Sensitive) -> String {
    let mut bytes = mask_lines(text, sensitive).into_bytes();
    // Text that is not valid TOML can only be masked line by line. Nested values and keys with escapes are only found
    // by parsing. So both are done.
    let (toml, _) = lex(text);
    let (document, mistakes) = DeTable::parse_recoverable(&toml);
    let mut finder = Finder { sensitive, text: &toml, spans: Vec::new(), near: true };
    finder.table(document.get_ref(), &mut Vec::new(), false);
    let mut spans = finder.spans;
    if !mistakes.is_empty() {
        spans.extend(broken_values(text, sensitive));
    }
    for span in spans {
        let value = bytes.get_mut(span).unwrap_or_default();
        value.iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b'*');
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.bytes().map(mask).collect())
}

/// Replaces what may be a secret in a text that is no document but may repeat a part of one, such as that of a panic.
#[cfg(feature = "gateway")]
pub(crate) fn mask_prose(text: &str) -> String {
    without_random(&mask_secrets(&redact(text), &Sensitive::default())).into_owned()
}

/// Returns whether a document holds a secret. Text that is a variable only is none: its value is elsewhere.
pub(crate) fn holds_secrets(text: &str, sensitive: &Sensitive) -> bool {
    let (toml, _) = lex(text);
    let (document, _) = DeTable::parse_recoverable(&toml);
    let mut finder = Finder { sensitive, text: &toml, spans: Vec::new(), near: false };
    finder.table(document.get_ref(), &mut Vec::new(), false);
    finder.spans.into_iter().any(|span| {
        let written = toml.get(span).unwrap_or_default().trim_matches(['"', '\'']);
        variable(written).is_none_or(|(_, length)| length != written.len()) && !written.is_empty()
    }) || !url_parts(text).is_empty()
}

/// Finds the spans of secret values.
struct Finder<'a> {
    sensitive: &'a Sensitive,
    text: &'a str,
    spans: Vec<Range<usize>>,
    /// Set to find also the values of names near those of secrets, and values that look random.
    near: bool,
}

impl Finder<'_> {
    fn table<'d>(&mut self, table: &'d DeTable<'_>, path: &mut Vec<&'d str>, all: bool) {
        let names_secret = table.iter().any(|(key, value)| {
            names_a_value(key.get_ref()) && value.get_ref().as_str().is_some_and(looks_secret)
        });
        for (key, value) in table {
            let key: &str = key.get_ref();
            path.push(key);
            let secret = all
                || self.sensitive.is_secret(path, self.is_section(value))
                || self.near && self.sensitive.is_near(path, self.is_section(value))
                || names_secret && is_named_value(key);
            self.value(value, path, secret);
            path.pop();
        }
    }

    fn value<'d>(&mut self, value: &'d Spanned<DeValue<'_>>, path: &mut Vec<&'d str>, secret: bool) {
        match value.get_ref() {
            DeValue::Table(table) => self.table(table, path, secret),
            DeValue::Array(items) => {
                let texts: Vec<Option<&str>> = items.iter().map(|item| item.get_ref().as_str()).collect();
                let named = named_items(path.last().copied().unwrap_or_default(), &texts);
                for (item, named) in items.iter().zip(named) {
                    self.value(item, path, secret || named);
                    if let Some([name, value]) = item.get_ref().as_array().map(|pair| &pair[..])
                        && name.get_ref().as_str().is_some_and(|name| names_next(name, true))
                    {
                        self.value(value, path, true);
                    }
                }
            }
            DeValue::Boolean(_) => {}
            DeValue::String(text) => {
                // The parts of a URL are masked in the line; other parts may be written with escapes.
                let assigns = || secret_parts(text) != url_parts(text);
                if secret || is_secret_value(text) || assigns() || self.near && has_random(text) {
                    self.spans.push(value.span());
                }
            }
            _ if secret => self.spans.push(value.span()),
            _ => {}
        }
    }

    /// Returns whether a value is a section, or a list of sections: its name may be one that people chose.
    fn is_section(&self, value: &Spanned<DeValue<'_>>) -> bool {
        let written = self.text.get(value.span()).unwrap_or_default();
        match value.get_ref() {
            DeValue::Table(_) => !written.starts_with('{'),
            DeValue::Array(items) => items.iter().any(|item| self.is_section(item)),
            _ => false,
        }
    }
}

/// Masks line by line, without parsing.
fn mask_lines(text: &str, sensitive: &Sensitive) -> String {
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
        let Some(value_at) = sensitive_value(line, sensitive) else {
            out.push_str(&mask_parts(line));
            continue;
        };
        let (key, value) = line.split_at(value_at);
        // What looks like the key may be a URL up to a parameter of its query.
        out.push_str(&mask_parts(key));
        out.extend(value.bytes().map(mask));
        until = [("\"\"\"", "\"\"\""), ("'''", "'''"), ("[", "]")]
            .into_iter()
            .find(|(start, end)| value.starts_with(start) && !value[start.len()..].contains(end))
            .map(|(_, end)| end);
    }
    out
}

/// Masks the secret parts of the URLs in a line.
fn mask_parts(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut copied = 0;
    for part in url_parts(line) {
        out.push_str(&line[copied..part.start]);
        out.extend(line[part.clone()].bytes().map(mask));
        copied = part.end;
    }
    out.push_str(&line[copied..]);
    out
}

fn mask(byte: u8) -> char {
    if byte == b'\n' { '\n' } else { '*' }
}

/// Returns the offset of the first value of a sensitive key in `line`. Keys that the table knows as public have words
/// of secrets in their names too, so a path stays readable.
fn sensitive_value(line: &str, sensitive: &Sensitive) -> Option<usize> {
    let (at, _) = line.match_indices('=').find(|(at, _)| {
        let key = &line[..*at];
        let key = key.rsplit(['{', ',']).next().unwrap_or(key);
        (sensitive.is_in_line(key) || sensitive.is_in_name(key))
            && !key.trim_end_matches(['"', '\'', ' ']).ends_with("_path")
    })?;
    let blank = line[at + 1..].bytes().take_while(|b| *b == b' ').count();
    Some(at + 1 + blank)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(text: &str) -> String {
        mask_secrets(text, &Sensitive::default())
    }

    #[test]
    fn masking_keeps_offsets() {
        for value in [
            "token = \"\"\"\nhunter2é\n\"\"\"",
            "tokens = [\n  \"hunter2\",\n]",
            "secret = '''hunter2'''",
            "url = \"http://me:hunter2@a/x@y\"",
            "a = \"password=http://me:hunter2@hunter2/?sig=hunter2\"",
            "base_url = \"http://me:hunter2@a.example/x?sig=hunter2\"",
            "x = { token = \"a\", secret = \"\"\"\nhunter2\"\"\" }",
            "tokens = { a = [\n  \"hunter2\",\n] }",
            "secrets = [\n  [\"a\"],\n  \"hunter2\",\n]",
            "\"\\u0074oken\" = \"hunter2\"",
            "headers = { X-Api-Key = \"hunter2\" }",
            "headers = [\"Authorization: hunter2\"]",
            "h = [{ name = \"X-Auth-Token\", value = \"hunter2\" }]",
            "a.credentials = { user = \"hunter2\" }",
            "url = \"http://a/?api_key=hunter2\"",
            "x = \"Bearer hunter2\"",
            "# password = hunter2",
            "psk = \"hunter2\"",
            "x = { clientKey = \"hunter2\" }",
            "dsn = \"Server=a;Password=hunter2;\"",
            "args = [\"--token=hunter2\", \"--password\", \"hunter2\"]",
            "pairs = [[\"a\", \"b\"], [\"password\", \"hunter2\"]]",
            "x = \"ghp_hunter2hunter2\"",
            "url = \"http://a/?sig=hunter2\"",
        ] {
            let text = format!("a = 1\n{value}\nb = 2\n");
            let hidden = masked(&text);
            assert_eq!(hidden.len(), text.len());
            assert!(!hidden.contains("hunter2"), "{hidden}");
            assert!(hidden.ends_with("b = 2\n"), "{hidden}");
        }
    }

    /// A misspelled name of a secret, and a name of something else, show no secret.
    #[test]
    fn values_of_names_near_secrets_are_masked() {
        let random = "q8Zr5TnXw2Lk9PvB7cYdM4aG";
        for (key, value) in [
            ("jwt_secrt", "hunter2"),
            ("jwt_scret", "hunter2"),
            ("tokn", "hunter2"),
            ("toke", "hunter2"),
            ("nested.passwrd", "hunter2"),
            ("x.tken.value", "hunter2"),
            ("ingress", random),
            ("jwt_private_key_path", random),
            ("anything", random),
        ] {
            for text in [format!("{key} = \"{value}\"\n"), format!("{key} = [\"{value}\"]\n")] {
                let hidden = masked(&format!("[mesh.m]\n{text}type = \"http\"\n"));
                assert!(!hidden.contains(value) && hidden.ends_with("type = \"http\"\n"), "{hidden}");
            }
        }
        let plain = "[mesh.m]\nmode = \"mesh\"\nid = \"01HZZZZZZZZZZZZZZZZZZZZZZZ\"\nheader = \"X-A\"\n";
        assert_eq!(masked(plain), plain);
        assert!(!holds_secrets(
            "[mesh.m]\ningress = [\"q8Zr5TnXw2Lk9PvB7cYdM4aG\"]\n",
            &Sensitive::default()
        ));
    }

    #[test]
    fn sections_with_sensitive_names_are_shown() {
        let text = "[pipelines.token-exchange]\nnetworks = [\"n\"]\n[[users.x]]\nname = \"a\"\nsecret = \"hunter2\"\n\
                    [secret]\nx = \"hunter2\"\n[[secrets]]\nv = \"hunter2\"\n[[tokens]]\nname = \"hunter2\"\n";
        let hidden = masked(text);
        assert!(hidden.contains("networks = [\"n\"]") && hidden.contains("name = \"a\""), "{hidden}");
        assert!(!hidden.contains("hunter2"), "{hidden}");
    }
}
