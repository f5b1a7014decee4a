//! The decision which values of a document are secret.

use std::ops::Range;

/// Parts of the names of keys and headers with secret values, without `_`, `-` and case.
const WORDS: [&str; 19] = [
    "secret",
    "password",
    "passphrase",
    "passwd",
    "passcode",
    "pwd",
    "token",
    "privatekey",
    "apikey",
    "accesskey",
    "signingkey",
    "encryptionkey",
    "sharedkey",
    "hmackey",
    "credential",
    "authorization",
    "bearer",
    "cookie",
    "hs256",
];

/// The entry of a key in a table of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    /// The value is a secret.
    Secret,
    /// The value is no secret, though its name may look so.
    Public,
    /// The last part of the path is a section, or a name that people chose for one.
    Section,
    /// The table does not have it.
    Unknown,
}

/// Decides which values of a document are secret: by a table of keys, by the patterns of the configuration, and by any
/// name that looks like that of a secret.
#[derive(Clone, Debug)]
pub(crate) struct Sensitive {
    table: fn(&[&str]) -> Known,
    patterns: Vec<String>,
}

impl Default for Sensitive {
    /// Decides by names only.
    fn default() -> Self {
        let table = |path: &[&str]| if path.len() <= 2 { Known::Section } else { Known::Unknown };
        Self { table, patterns: Vec::new() }
    }
}

impl Sensitive {
    /// Creates the decision for a table of keys and the patterns of a configuration. In a pattern `*` is any text; a
    /// pattern without it is a part of the name.
    pub(crate) fn new(table: fn(&[&str]) -> Known, patterns: &[String]) -> Self {
        Self { table, patterns: patterns.iter().map(|pattern| pattern.to_ascii_lowercase()).collect() }
    }

    /// Returns whether the value at `path` is secret, with everything below it.
    pub(crate) fn is_secret(&self, path: &[&str], is_table: bool) -> bool {
        let Some(key) = path.last() else { return false };
        match (self.table)(path) {
            Known::Secret => true,
            Known::Section if is_table => false,
            Known::Public => self.is_in_patterns(key),
            Known::Section | Known::Unknown => looks_secret(key) || self.is_in_patterns(key),
        }
    }

    /// Returns whether a line of a broken document, or of a comment, may hold a secret.
    pub(crate) fn is_in_line(&self, line: &str) -> bool {
        let word = |c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-'));
        looks_secret(line) || line.split(word).any(|word| !word.is_empty() && self.is_in_patterns(word))
    }

    fn is_in_patterns(&self, key: &str) -> bool {
        let key = key.to_ascii_lowercase();
        self.patterns.iter().any(|pattern| match pattern.contains('*') {
            true => matches(pattern, &key),
            false => key.contains(pattern.as_str()),
        })
    }
}

/// Returns whether a name looks like that of a secret.
pub(crate) fn looks_secret(name: &str) -> bool {
    let plain: String = name.chars().filter(|c| !matches!(c, '_' | '-' | ' ')).collect();
    let plain = plain.to_ascii_lowercase();
    WORDS.iter().any(|word| plain.contains(word))
}

/// Returns whether a value is a secret by itself, whatever its key: a credential of HTTP, a header with one, a token, a
/// private key.
pub(crate) fn is_secret_value(value: &str) -> bool {
    let value = value.trim();
    let starts =
        |prefix: &str| value.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix));
    let is_header = value.split_once(':').is_some_and(|(name, rest)| {
        !rest.starts_with("//") && !name.contains(char::is_whitespace) && looks_secret(name)
    });
    starts("bearer ")
        || starts("basic ")
        || starts("AGE-SECRET-KEY-")
        || value.contains("PRIVATE KEY-----")
        || value.starts_with("eyJ") && value.matches('.').count() >= 2
        || is_header
}

/// Returns the parts of a text that are secret: the user information of URLs, and their parameters that look so.
pub(crate) fn secret_parts(text: &str) -> Vec<Range<usize>> {
    let mut parts = Vec::new();
    let mut from = 0;
    while let Some(found) = text[from..].find("://") {
        let start = from + found + 3;
        let length = |ends: &[char]| text[start..].find(ends).unwrap_or(text.len() - start);
        let authority = start + length(&['/', '?', '#', '"', '\'', ' ', '\n']);
        if let Some(at) = text[start..authority].rfind('@') {
            parts.push(start..start + at);
        }
        let end = start + length(&['"', '\'', ' ', '\n']);
        if let Some(query) = text[authority..end].find('?') {
            let mut at = authority + query + 1;
            for parameter in text[at..end].split('&') {
                if let Some((name, value)) = parameter.split_once('=').filter(|(name, _)| looks_secret(name))
                {
                    let value_at = at + name.len() + 1;
                    parts.push(value_at..value_at + value.len());
                }
                at += parameter.len() + 1;
            }
        }
        from = authority;
    }
    parts
}

/// Returns whether `text` has the form of a pattern, in which `*` is any text.
fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_names() {
        let patterns = ["*_KEY".to_owned(), "pin".to_owned(), "a*b*c".to_owned()];
        let sensitive = Sensitive::new(|_| Known::Unknown, &patterns);
        for name in ["my_key", "PIN", "pin_code", "aXbYc", "abc"] {
            assert!(sensitive.is_secret(&["s", "x", name], false), "{name}");
        }
        for name in ["my_keys", "p_in", "acb", "key"] {
            assert!(!sensitive.is_secret(&["s", "x", name], false), "{name}");
        }
    }

    #[test]
    fn values_and_parts_are_found() {
        for secret in ["Bearer x", "basic eA==", "eyJh.eyJi.c", "X-Api-Key: 1", "-----BEGIN PRIVATE KEY-----"]
        {
            assert!(is_secret_value(secret), "{secret}");
        }
        for plain in ["http://token.example", "a: b", "bearer", "the token: one", "local.name.x"] {
            assert!(!is_secret_value(plain), "{plain}");
        }
        let url = "https://u:p@h/x@y?a=1&api_key=k&b=2 http://h/?token=t";
        let parts: Vec<&str> = secret_parts(url).into_iter().map(|part| &url[part]).collect();
        assert_eq!(parts, ["u:p", "k", "t"]);
    }
}
