//! Editing of documents that have variables outside of strings, which no TOML editor reads.

use toml_edit::{DocumentMut, TomlError};

use crate::diagnostics::bare::{lex, variable};

/// The start of a string that stands for a variable outside of a string. Two characters of the private use area.
const MARK: &str = "'\u{f8ff}\u{f8fe}";

/// Parses `text` for editing. A variable outside of a string becomes a marked string.
///
/// # Errors
/// The first mistake in the syntax.
pub(crate) fn parse(text: &str) -> Result<DocumentMut, TomlError> {
    marked(text).parse()
}

/// Returns the text of an edited document, with its variables as they were.
pub(crate) fn text_of(document: &DocumentMut) -> String {
    let text = document.to_string();
    let (mut out, mut rest) = (String::with_capacity(text.len()), text.as_str());
    while let Some(at) = rest.find(MARK) {
        let inner = &rest[at + MARK.len()..];
        let end = inner.find('\'').unwrap_or(inner.len());
        out.push_str(&rest[..at]);
        // A marked text that is no variable is a string of the document, and stays one.
        if variable(&inner[..end]).is_some_and(|(_, length)| length == end) {
            out.push_str(&inner[..end]);
            rest = inner.get(end + 1..).unwrap_or_default();
        } else {
            out.push_str(MARK);
            rest = inner;
        }
    }
    out.push_str(rest);
    out
}

/// Returns the values of a text, with variables outside of strings as marked strings.
pub(crate) fn meaning(text: &str) -> Option<toml::Table> {
    toml::from_str(&marked(text)).ok()
}

/// Returns the dotted keys whose values differ between two documents: of a new section its keys, and of a section that
/// stays those that it lost. A section that is gone says nothing.
pub(crate) fn changed_keys(before: &str, after: &str) -> Vec<String> {
    let read = |text: &str| toml::from_str::<toml::Table>(&marked(text)).unwrap_or_default();
    let mut changed = Vec::new();
    compare(&read(before), &read(after), "", &mut changed);
    changed
}

fn compare(before: &toml::Table, after: &toml::Table, path: &str, changed: &mut Vec<String>) {
    for (name, value) in after {
        let key = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        match (before.get(name), value) {
            (Some(toml::Value::Table(before)), toml::Value::Table(after)) => {
                compare(before, after, &key, changed);
            }
            (None, toml::Value::Table(after)) => compare(&toml::Table::new(), after, &key, changed),
            (before, after) if before != Some(after) => changed.push(key),
            _ => {}
        }
    }
    // The names of sections have at most two parts.
    let lost = before.keys().filter(|name| path.contains('.') && !after.contains_key(*name));
    changed.extend(lost.map(|name| format!("{path}.{name}")));
}

fn marked(text: &str) -> String {
    let (mut out, mut copied) = (String::with_capacity(text.len()), 0);
    for bare in lex(text).1 {
        out.push_str(&text[copied..bare.span.start]);
        out.push_str(MARK);
        out.push_str(&text[bare.span.clone()]);
        out.push('\'');
        copied = bare.span.end;
    }
    out.push_str(&text[copied..]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_survive_an_edit() {
        let text = "a = $PORT # one\nb = [${X},$Y]\n[c]\nd = \"$Z\"\n";
        let mut document = parse(text).unwrap();
        assert_eq!(text_of(&document), text);
        document["c"]["e"] = toml_edit::value(1);
        assert_eq!(text_of(&document), format!("{text}e = 1\n"));
        let forged = format!("a = {MARK}1 }}, b = $X'\n");
        assert_eq!(
            text_of(&parse(&forged).unwrap()),
            forged,
            "a marked text is no way to write anything else"
        );
    }

    #[test]
    fn changed_keys_are_found() {
        let before = "[a]\nb = 1\nc = $X\n[[l]]\nd = 1\n";
        assert_eq!(changed_keys(before, before), [""; 0]);
        let after = "[a]\nb = 1\nc = $Y\n[[l]]\nd = 2\n[n.m]\no = \"$Z\"\n";
        assert_eq!(changed_keys(before, after), ["a.c", "l", "n.m.o"]);
        let (before, after) = ("[a.b]\nc = 1\nd.e = 2\n[a.f]\ng = 1\n", "[a.b]\nh = 1\n");
        assert_eq!(
            changed_keys(before, after),
            ["a.b.h", "a.b.c", "a.b.d"],
            "a key that is gone directs, too"
        );
    }
}
