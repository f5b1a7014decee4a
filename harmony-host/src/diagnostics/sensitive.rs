//! The decision which values of a document are secret.

use std::ops::Range;

use crate::diagnostics::bare::variable;

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

/// The last words of further names with secret values: words that say something else within a name, as in `auth_type`
/// or `client_key_path`.
const LAST_WORDS: [&str; 15] = [
    "psk",
    "pin",
    "pins",
    "pincode",
    "cred",
    "creds",
    "auth",
    "sas",
    "salt",
    "sig",
    "signature",
    "signing",
    "otp",
    "totp",
    "pat",
];

/// The last two words of further names, in one.
const LAST_PAIRS: [&str; 10] = [
    "clientkey",
    "accountkey",
    "masterkey",
    "authkey",
    "serverkey",
    "servicekey",
    "tlskey",
    "sshkey",
    "connectionstring",
    "connstring",
];

/// The first characters of tokens that say of themselves what they are.
const TOKENS: [&str; 22] = [
    "ghp_",
    "gho_",
    "ghu_",
    "ghs_",
    "ghr_",
    "github_pat_",
    "glpat-",
    "xoxb-",
    "xoxp-",
    "xoxa-",
    "xoxr-",
    "xoxs-",
    "xapp-",
    "sk_live_",
    "rk_live_",
    "sk-ant-",
    "npm_",
    "pypi-",
    "hvs.",
    "dop_v1_",
    "ya29.",
    "AGE-SECRET-KEY-",
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
        let table = |path: &[&str]| if path.len() == 2 { Known::Section } else { Known::Unknown };
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
        // The words of a comment that assigns nothing are prose.
        let name = line.split_once(['=', ':']).map_or("", |(name, _)| name);
        has_secret_part(line)
            || self.is_in_name(name)
            || line.split(word).any(|word| !word.is_empty() && self.is_in_patterns(word))
    }

    /// Returns whether the key at the end of a text, with or without quotes, looks like that of a secret.
    pub(crate) fn is_in_name(&self, text: &str) -> bool {
        let mut names = text.split(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-')));
        names.rfind(|name| !name.is_empty()).is_some_and(looks_secret)
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
    has_secret_part(name) || ends_secret(name)
}

fn has_secret_part(name: &str) -> bool {
    let plain: String = name.chars().filter(|c| !matches!(c, '_' | '-' | ' ')).collect();
    let plain = plain.to_ascii_lowercase();
    WORDS.iter().any(|word| plain.contains(word))
}

/// Returns whether the last one or two words of a name are those of a secret. A word ends at a separator or before a
/// capital letter, as in `clientKey`.
fn ends_secret(name: &str) -> bool {
    let (mut words, mut small) = (vec![String::new()], false);
    for c in name.chars() {
        let separates = matches!(c, '_' | '-' | '.' | ' ');
        if separates || small && c.is_ascii_uppercase() {
            words.push(String::new());
        }
        small = c.is_ascii_lowercase();
        if let (false, Some(word)) = (separates, words.last_mut()) {
            word.push(c.to_ascii_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    let last = |count: usize| words.get(words.len().saturating_sub(count)..).unwrap_or_default().concat();
    let (word, pair) = (last(1), last(2));
    LAST_WORDS.contains(&word.as_str())
        || [&word, &pair].into_iter().any(|name| LAST_PAIRS.contains(&name.as_str()))
}

/// Returns whether the item of a list after `name` is a secret: the value of an option, or the second one of a pair.
pub(crate) fn names_next(name: &str, is_pair: bool) -> bool {
    (is_pair || name.starts_with('-')) && !name.contains('=') && looks_secret(name)
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
    let in_token = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    starts("bearer ")
        || starts("basic ")
        || value.contains("PRIVATE KEY-----")
        || value.split(|c| !in_token(c)).any(is_token)
        || is_header
}

/// Returns whether a word is a token by its form.
fn is_token(word: &str) -> bool {
    let key_id = |prefix: &str| {
        let id = |rest: &str| {
            rest.len() == 16 && rest.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
        };
        word.strip_prefix(prefix).is_some_and(id)
    };
    TOKENS.iter().any(|prefix| word.strip_prefix(prefix).is_some_and(|rest| rest.len() >= 6))
        || word.starts_with("eyJ") && word.matches('.').count() >= 2
        || key_id("AKIA")
        || key_id("ASIA")
}

/// Returns the parts of a value that are secret: those of its URLs, and what it assigns to a name that looks so, as a
/// connection string, a query or an option of a command does. A variable is no secret.
pub(crate) fn secret_parts(text: &str) -> Vec<Range<usize>> {
    let mut parts = url_parts(text);
    let mut from = 0;
    for (at, _) in text.match_indices('=') {
        if at < from {
            continue;
        }
        let name_at =
            text[from..at].rfind([';', '&', '?', ',', '"', '\'', '\n']).map_or(from, |last| from + last + 1);
        let name = text[name_at..at].trim();
        let asked = name == "key" && text[..name_at].ends_with(['?', '&']);
        let rest = &text[at + 1..];
        if rest.starts_with('=') && text[..at].ends_with(' ') {
            // A comparison.
            from = at + 2;
            continue;
        }
        let length = rest.find([';', '&', '"', '\'', '\n']).unwrap_or(rest.len());
        let value = rest[..length].trim();
        let is_variable = variable(value).is_some_and(|(_, length)| length == value.len());
        if (asked || looks_secret(name)) && !value.is_empty() && !is_variable {
            parts.push(at + 1..at + 1 + length);
            from = at + 1 + length;
        }
    }
    joined(parts)
}

/// Returns the ranges in their order, each byte in one of them.
fn joined(mut parts: Vec<Range<usize>>) -> Vec<Range<usize>> {
    parts.sort_by_key(|part| part.start);
    let mut joined: Vec<Range<usize>> = Vec::new();
    for part in parts {
        match joined.last_mut() {
            Some(last) if part.start < last.end => last.end = last.end.max(part.end),
            _ => joined.push(part),
        }
    }
    joined
}

/// Returns the parts of the URLs in a text that are secret: their user information, and parameters with such names.
pub(crate) fn url_parts(text: &str) -> Vec<Range<usize>> {
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
                let is_secret = |name: &str| name == "key" || looks_secret(name);
                if let Some((name, value)) = parameter.split_once('=').filter(|(name, _)| is_secret(name)) {
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
    fn names_of_secrets() {
        for name in [
            "client_key",
            "clientKey",
            "psk",
            "wifi-psk",
            "pin",
            "creds",
            "auth",
            "basic_auth",
            "sas",
            "Api-Key",
        ] {
            assert!(looks_secret(name), "{name}");
        }
        for name in [
            "auth_type",
            "client_key_path",
            "public_key",
            "cert_path",
            "authentication",
            "pinned",
            "spin",
            "author",
            "sass",
            "signature_algorithm",
            "key",
        ] {
            assert!(!looks_secret(name), "{name}");
        }
        let sensitive = Sensitive::default();
        for line in ["psk = 1", "# client_key: x", "a.pin", "auth = \"x\""] {
            assert_eq!(sensitive.is_in_line(line), line != "a.pin", "{line}");
        }
        assert!(!sensitive.is_in_line("the auth of this pin"));
    }

    #[test]
    fn assignments_in_values_are_found() {
        for (text, expected) in [
            ("Server=a;Uid=b;Password=p=1;Port=1", vec!["p=1"]),
            ("Server=a;Pwd = p", vec![" p"]),
            ("AccountName=a;AccountKey=k==;X=1", vec!["k=="]),
            ("Password==p", vec!["=p"]),
            ("--token=t", vec!["t"]),
            ("/x?sig=s&b=2&key=k", vec!["s", "k"]),
            ("https://h/x?sv=1&sig=s%3D", vec!["s%3D"]),
            ("https://u:p@h/?access_token=t", vec!["u:p", "t"]),
            ("Password=$DB_PASSWORD;a=1", vec![]),
            ("a=1;b=2", vec![]),
            ("token == 1", vec![]),
            ("https://h/key?id=1", vec![]),
        ] {
            let parts: Vec<&str> = secret_parts(text).into_iter().map(|part| &text[part]).collect();
            assert_eq!(parts, expected, "{text}");
        }
        assert!(
            names_next("--password", false) && names_next("password", true) && !names_next("password", false)
        );
    }

    #[test]
    fn values_and_parts_are_found() {
        for secret in ["Bearer x", "basic eA==", "eyJh.eyJi.c", "X-Api-Key: 1", "-----BEGIN PRIVATE KEY-----"]
            .into_iter()
            .chain([
                "ghp_0123456789",
                "t: xoxb-1234567890",
                "AKIAIOSFODNN7EXAMPLE",
                "x-eyJh.eyJi.c eyJh.eyJi.c",
            ])
        {
            assert!(is_secret_value(secret), "{secret}");
        }
        for plain in
            ["http://token.example", "a: b", "bearer", "the token: one", "local.name.x", "ghp_", "AKIA"]
        {
            assert!(!is_secret_value(plain), "{plain}");
        }
        let url = "https://u:p@h/x@y?a=1&api_key=k&b=2 http://h/?token=t";
        let parts: Vec<&str> = secret_parts(url).into_iter().map(|part| &url[part]).collect();
        assert_eq!(parts, ["u:p", "k", "t"]);
    }
}
