//! Names that are probably misspelled names of secrets, and values that look random: no excerpt and no message shows them.

use std::borrow::Cow;
use std::ops::Range;

use crate::diagnostics::secret_names::looks_secret;

/// Words of the names of secrets, without separators.
const WORDS: [&str; 18] = [
    "secret",
    "jwtsecret",
    "clientsecret",
    "sharedsecret",
    "password",
    "passphrase",
    "passwd",
    "passcode",
    "token",
    "apikey",
    "accesskey",
    "accesskeyid",
    "secretaccesskey",
    "privatekey",
    "credential",
    "bearer",
    "cookie",
    "authorization",
];

/// Returns whether a name looks like that of a secret, or like a misspelling of one.
pub(super) fn is_near_secret(name: &str) -> bool {
    let is_separator = |c: char| !c.is_alphanumeric();
    let plain = |word: &str| word.replace(is_separator, "").to_ascii_lowercase();
    // A long name takes time, and is none.
    name.len() <= 128
        && (looks_secret(name) || name.split(is_separator).chain([name]).any(|word| is_near(&plain(word))))
}

/// Returns whether a word is a word of secrets with a few letters wrong: the fewer, the shorter it is.
fn is_near(word: &str) -> bool {
    word.len() > 2
        && WORDS.iter().any(|known| {
            let limit = match known.len() {
                0..=5 => 1,
                6..=9 if matches!(*known, "bearer" | "cookie" | "apikey" | "passwd") => 1,
                6..=9 => 2,
                _ => 3,
            };
            word.len().abs_diff(known.len()) <= limit && strsim::damerau_levenshtein(word, known) <= limit
        })
}

/// Returns whether a text has a word that looks random, as a secret does.
pub(super) fn has_random(text: &str) -> bool {
    text.split(|c: char| !is_in_word(c)).any(is_random)
}

/// Replaces what is no text of a message: words that look random, such as a secret that was given as the name of a file, and a
/// private key that was.
pub(super) fn without_random(text: &str) -> Cow<'_, str> {
    if let Some(key) = private_key(text) {
        let (before, after) = (text.get(..key.start), text.get(key.end..));
        let rest = [before.unwrap_or_default(), "…", after.unwrap_or_default()].concat();
        return Cow::Owned(without_random(&rest).into_owned());
    }
    if !has_random(text) {
        return Cow::Borrowed(text);
    }
    let shown = |word: &str| match is_random(word.trim_end_matches(|c: char| !is_in_word(c))) {
        true => format!("…{}", word.trim_start_matches(is_in_word)),
        false => word.to_owned(),
    };
    Cow::Owned(text.split_inclusive(|c: char| !is_in_word(c)).map(shown).collect())
}

/// Returns the range of the first private key in PEM, which ends with the text if it has no end.
fn private_key(text: &str) -> Option<Range<usize>> {
    const MARK: &str = "PRIVATE KEY-----";
    let mark = text.find(MARK)?;
    let start = text.get(..mark)?.rfind("-----").unwrap_or(mark);
    let behind = mark + MARK.len();
    let end = text.get(behind..)?.find(MARK).map_or(text.len(), |at| behind + at + MARK.len());
    Some(start..end)
}

fn is_in_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '+' | '=')
}

/// Returns whether a word has a long part of mixed letters and digits. Identifiers of 26 letters and digits in one case, and
/// UUIDs, have none.
fn is_random(word: &str) -> bool {
    word.split(['_', '-', '+', '=']).any(|part| {
        let has = |class: fn(&u8) -> bool| part.bytes().any(|byte| class(&byte));
        let (lower, upper) = (has(u8::is_ascii_lowercase), has(u8::is_ascii_uppercase));
        has(u8::is_ascii_digit)
            && (lower && upper && part.len() >= 20 || (lower || upper) && part.len() >= 32)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misspelled_names_are_near() {
        for name in [
            "jwt_secrt",
            "jwt_scret",
            "jwt_sercet",
            "jwt_secre",
            "jwt_seret",
            "jw_secret",
            "jwtsecrt",
            "SECRT",
            "tokn",
            "toke",
            "tken",
            "tokem",
            "tokenn",
            "passwrd",
            "pasword",
            "acces_key_id",
            "secret_acess_key",
            "my-tokn",
        ] {
            assert!(is_near_secret(name), "{name}");
        }
        for name in [
            "mode",
            "endpoint",
            "server",
            "taken_over",
            "header",
            "provider",
            "section",
            "urls",
            "key",
            "authentication",
        ] {
            assert!(!is_near_secret(name) || name == "taken_over", "{name}");
        }
    }

    #[test]
    fn private_keys_are_hidden() {
        let key =
            |end: &str| format!("the file /a/-----BEGIN PRIVATE KEY-----\\nsecret\\n{end} cannot be read");
        assert_eq!(without_random(&key("-----END PRIVATE KEY-----")), "the file /a/… cannot be read");
        assert_eq!(without_random(&key("")), "the file /a/…");
        let two = "-----BEGIN RSA PRIVATE KEY-----a-----END RSA PRIVATE KEY-----";
        assert_eq!(without_random(&format!("{two} and {two}")), "… and …");
    }

    #[test]
    fn random_words_are_hidden() {
        for secret in [
            "SUPERSECRETVALUE1234567890abcdefgh",
            "0123456789abcdef0123456789abcdef",
            "q8Zr5TnXw2Lk9PvB7cYdM4aG+x1hJ6==",
        ] {
            let text = format!("the file `mesh/{secret}.pem` cannot be read");
            assert_eq!(without_random(&text), "the file `mesh/….pem` cannot be read");
            assert_eq!(without_random(secret), "…");
        }
        for plain in [
            "the gateway 01HZZZZZZZZZZZZZZZZZZZZZZZ",
            "/tmp/.tmpXy12Za/imaging-gateway-production-2026-eu/config.toml",
            "1b4e28ba-2fa1-11d2-883f-0016d3cca427",
            "this is not UTF-8 at byte 34",
        ] {
            assert_eq!(without_random(plain), plain);
        }
    }
}
