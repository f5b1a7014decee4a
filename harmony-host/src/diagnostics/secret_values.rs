//! Values that are secrets by themselves, and the parts of values that are.

use std::ops::Range;

use crate::diagnostics::bare::variable;
use crate::diagnostics::secret_names::looks_secret;
use crate::diagnostics::secret_paths::hook_parts;

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

/// Returns the parts of the URLs in a text that are secret: their user information, parameters with such names, and the
/// paths of hooks.
pub(crate) fn url_parts(text: &str) -> Vec<Range<usize>> {
    let mut parts = hook_parts(text);
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
    joined(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

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
