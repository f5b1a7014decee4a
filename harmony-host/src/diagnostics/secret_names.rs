//! Names that look like those of secrets.

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

/// Returns whether a name looks like that of a secret.
pub(crate) fn looks_secret(name: &str) -> bool {
    has_secret_part(name) || ends_secret(name)
}

/// Returns whether a text contains a word of [`WORDS`].
pub(super) fn has_secret_part(name: &str) -> bool {
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

#[cfg(test)]
mod tests {
    use super::*;

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
        assert!(
            names_next("--password", false) && names_next("password", true) && !names_next("password", false)
        );
    }
}
