//! The search for secrets in bytes, in each form in which an output may hold them.

use aho_corasick::AhoCorasick;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use url::form_urlencoded::byte_serialize;

use super::canary::{Canaries, Canary};

/// The letters at each end of a secret that no output may show either.
const EDGE: usize = 8;

/// The bytes around a leak that a failure shows.
const AROUND: usize = 100;

/// Finds the secrets of one world.
pub(super) struct Scanner {
    automaton: AhoCorasick,
    /// The place and the form of each pattern.
    patterns: Vec<(String, &'static str)>,
}

impl Scanner {
    pub(super) fn new(canaries: &Canaries) -> Self {
        let (mut patterns, mut texts) = (Vec::new(), Vec::new());
        for canary in canaries.all() {
            for (form, text) in forms(canary) {
                patterns.push((canary.place.clone(), form));
                texts.push(text);
            }
        }
        let automaton = AhoCorasick::builder().ascii_case_insensitive(true).build(&texts);
        Self { automaton: automaton.expect("few patterns"), patterns }
    }

    /// Returns each leak in words, with the bytes around it. One is shown for each secret.
    pub(super) fn leaks(&self, output: &str, bytes: &[u8]) -> Vec<String> {
        let (mut leaks, mut seen) = (Vec::new(), Vec::new());
        for found in self.automaton.find_overlapping_iter(bytes) {
            let (place, form) = &self.patterns[found.pattern()];
            if seen.contains(&place) {
                continue;
            }
            seen.push(place);
            let around = found.start().saturating_sub(AROUND)..bytes.len().min(found.end() + AROUND);
            let around = String::from_utf8_lossy(&bytes[around]).into_owned();
            leaks.push(format!("{output} shows the secret of {place} ({form}): ...{around}..."));
        }
        leaks
    }
}

/// Returns the forms of a secret, each with its name.
fn forms(canary: &Canary) -> Vec<(&'static str, String)> {
    let value = canary.value.as_str();
    let json = serde_json::Value::from(value).to_string();
    let each = |form: fn(u8) -> String| value.bytes().map(form).collect::<String>();
    let mut forms = vec![
        ("as it is", value.to_owned()),
        ("percent-encoded", byte_serialize(value.as_bytes()).collect()),
        ("every byte percent-encoded", each(|byte| format!("%{byte:02x}"))),
        ("in JSON", json.trim_matches('"').to_owned()),
        ("every byte escaped in JSON", each(|byte| format!("\\u{byte:04x}"))),
        ("escaped for people", value.escape_debug().to_string()),
        ("in hexadecimal", each(|byte| format!("{byte:02x}"))),
        ("as a list of bytes", value.bytes().map(|byte| byte.to_string()).collect::<Vec<_>>().join(", ")),
        ("its last letters", value[value.len() - EDGE..].to_owned()),
    ];
    if canary.begins_alone {
        forms.push(("its first letters", value[..EDGE].to_owned()));
    }
    forms.extend((0..3).flat_map(|before| in_base64(value, before)).map(|text| ("in base64", text)));
    forms
}

/// Returns the letters of a secret in base64 that do not depend on the bytes around it, with `before` bytes before it.
fn in_base64(value: &str, before: usize) -> [String; 2] {
    let bytes = [&vec![0; before], value.as_bytes()].concat();
    let mixed_at_start = [0, 2, 3][before];
    let mixed_at_end = usize::from(bytes.len() % 3 != 0);
    [STANDARD_NO_PAD.encode(&bytes), URL_SAFE_NO_PAD.encode(&bytes)]
        .map(|text| text[mixed_at_start..text.len() - mixed_at_end].to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_of_a_leak_is_found() {
        let mut canaries = Canaries::new();
        let word = canaries.word("a word");
        let odd = "pass \"word\"/+&\\%=\u{e9} of ümlauts";
        canaries.token("an odd one", odd);
        canaries.token("a token", "eyJhbGciOiJIUzI1NiJ9.signature-of-the-token");
        let scanner = Scanner::new(&canaries);
        for secret in [&word, odd] {
            let basic = STANDARD_NO_PAD.encode(format!("user:{secret}!"));
            for leak in [
                secret.to_owned(),
                format!("x{secret}x"),
                secret.to_uppercase().replace("\u{c9}", "\u{e9}").replace("\u{dc}", "ü"),
                byte_serialize(secret.as_bytes()).collect(),
                serde_json::json!({ "message": secret }).to_string(),
                format!("{secret:?}"),
                format!("{:?}", secret.as_bytes()),
                secret.bytes().map(|byte| format!("{byte:02X}")).collect(),
                secret.bytes().map(|byte| format!("%{byte:02X}")).collect(),
                format!("Basic {basic}=="),
                URL_SAFE_NO_PAD.encode(secret),
                STANDARD_NO_PAD.encode(format!("u:{secret}")),
                format!("...{}", &secret[secret.len() - EDGE..]),
            ] {
                let leaks = scanner.leaks("the output", format!("before {leak} after").as_bytes());
                assert_eq!(leaks.len(), 1, "{leak}");
            }
        }
        let bytes = [b"\xff\xfe".as_slice(), &word.as_bytes()[..EDGE], b"\xff"].concat();
        assert!(scanner.leaks("the output", &bytes)[0].contains("a word (its first letters)"));
        for harmless in ["", "eyJhbGciOiJIUzI1NiJ9", &word[..EDGE - 1], "********"] {
            assert_eq!(scanner.leaks("the output", harmless.as_bytes()), [""; 0], "{harmless}");
        }
    }
}
