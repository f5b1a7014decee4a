//! Words that a key shares with a security-relevant one, such as `ssl_cert_path` with `cert_path`.

use crate::config::keys::key::{Key, Kind};

/// Words that say nothing about the meaning of a key.
const COMMON: [&str; 15] = [
    "path", "file", "name", "id", "url", "ref", "type", "max", "size", "env", "vars", "field", "enable",
    "enabled", "default",
];

/// Words of keys that authenticate, restrict or encrypt, whatever their section: a key with one is never harmless.
const SECURITY: [&str; 24] = [
    "auth",
    "authn",
    "authz",
    "authentication",
    "authorization",
    "mesh",
    "secure",
    "security",
    "tls",
    "mtls",
    "ssl",
    "https",
    "cert",
    "certificate",
    "jwt",
    "token",
    "secret",
    "verify",
    "require",
    "required",
    "allow",
    "deny",
    "policy",
    "policies",
];

/// Returns whether a word of a name is one of security.
pub(super) fn is_of_security(name: &str) -> bool {
    words(name).iter().any(|word| SECURITY.contains(&word.as_str()))
}

/// Returns whether a name shares a word with the last part of the name of a key, or with a value that the key may have.
pub(super) fn resembles(name: &str, key: &Key) -> bool {
    let mut known = words(key.name.rsplit('.').next().unwrap_or(key.name));
    if let Kind::Words(values) = key.kind {
        known.extend(values.iter().flat_map(|value| words(value)));
    }
    shares_word(name, &known)
}

/// Returns whether a name shares a word with another name.
pub(super) fn shares(name: &str, other: &str) -> bool {
    shares_word(name, &words(other))
}

fn shares_word(name: &str, known: &[String]) -> bool {
    // A name of such words only has no others to share.
    let is_all_common = known.iter().all(|word| COMMON.contains(&word.as_str()));
    let is_common = |word: &&String| !is_all_common && COMMON.contains(&word.as_str());
    words(name)
        .iter()
        .filter(|word| !is_common(word))
        .any(|word| known.iter().filter(|known| !is_common(known)).any(|known| is_same(word, known)))
}

/// Returns whether two words are the same, or one is short for the other: `cert` for `certificate`.
fn is_same(one: &str, other: &str) -> bool {
    let common = one.bytes().zip(other.bytes()).take_while(|(a, b)| a == b).count();
    one == other || common >= 4 && common + 1 >= one.len().min(other.len())
}

/// Returns the words of a name, in lower case. A word ends at a separator or before a capital letter, as in `certPath`.
fn words(name: &str) -> Vec<String> {
    let (mut words, mut small) = (vec![String::new()], false);
    for c in name.chars() {
        if !c.is_ascii_alphanumeric() || small && c.is_ascii_uppercase() {
            words.push(String::new());
        }
        small = c.is_ascii_lowercase();
        if let (true, Some(word)) = (c.is_ascii_alphanumeric(), words.last_mut()) {
            word.push(c.to_ascii_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use crate::config::keys::key::{text, words as one_of};

    use super::*;

    #[test]
    fn added_words_and_short_forms_resemble() {
        let cert = text("http.cert_path", "");
        for name in ["certificate_path", "ssl_cert_path", "cert_file", "certPath", "CERT", "tls-certificate"]
        {
            assert!(resembles(name, &cert), "{name}");
        }
        for name in ["path", "key_path", "file_name"] {
            assert!(!resembles(name, &cert), "{name}");
        }
        let mode = one_of("mode", &["default", "mesh"], "");
        for name in ["ingress_mode", "mesh_only", "onlyMesh"] {
            assert!(resembles(name, &mode), "{name}");
        }
        assert!(!resembles("default_route", &mode));
        for name in ["authn", "https_only", "tls_version", "verify_peer"] {
            assert!(is_of_security(name), "{name}");
        }
        assert!(!is_of_security("author") && !is_of_security("a_key_of_tomorrow"));
    }
}
