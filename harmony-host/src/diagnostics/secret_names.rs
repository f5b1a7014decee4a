//! Names that look like those of secrets.

/// Parts of the names of keys and headers with secret values, without `_`, `-` and case.
const WORDS: [&str; 30] = [
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
    "privkey",
    "licencekey",
    "licensekey",
    "connectionstring",
    "connstr",
    "databaseurl",
    "dburl",
    "authheader",
    "sessionid",
    "sessid",
    "sessionkey",
];

/// Words of which one anywhere in a name makes it that of a secret, as in `pw_hash` or `admin_pw`.
const ANY_WORDS: [&str; 9] = ["pass", "passes", "pw", "pws", "hmac", "dsn", "totp", "otp", "mnemonic"];

/// The last words of names that have a word of [`ANY_WORDS`] and say something about the secret, not what it is.
const ABOUT: [&str; 20] = [
    "path",
    "file",
    "type",
    "kind",
    "algorithm",
    "alg",
    "policy",
    "enabled",
    "required",
    "length",
    "min",
    "max",
    "ttl",
    "secs",
    "seconds",
    "minutes",
    "hours",
    "through",
    "rate",
    "count",
];

/// The words that end in `pass` and are not of passwords.
const NOT_PASS: [&str; 8] =
    ["compass", "bypass", "surpass", "trespass", "overpass", "underpass", "encompass", "outpass"];

/// The last words of further names with secret values: words that say something else within a name, as in `auth_type`
/// or `client_key_path`.
const LAST_WORDS: [&str; 21] = [
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
    "pat",
    "jwt",
    "jwts",
    "jwk",
    "priv",
    "private",
    "privates",
    "seed",
    "seeds",
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
    "signkey",
    "cipherkey",
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

/// Returns the words of a name, in small letters. A word ends at a separator or before a capital letter, as in
/// `clientKey`.
pub(super) fn words(name: &str) -> Vec<String> {
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
    words
}

/// Returns whether the last one or two words of a name, or any of [`ANY_WORDS`], are those of a secret.
fn ends_secret(name: &str) -> bool {
    let words = words(name);
    let last = |count: usize| words.get(words.len().saturating_sub(count)..).unwrap_or_default().concat();
    let (word, pair) = (last(1), last(2));
    LAST_WORDS.contains(&word.as_str())
        || [&word, &pair].into_iter().any(|name| LAST_PAIRS.contains(&name.as_str()))
        || words.iter().any(|word| is_pass(word)) && !ABOUT.contains(&word.as_str())
}

/// Returns whether a word is one of [`ANY_WORDS`], or a longer one for a password: `userpass`, `pwhash`, `adminpw`.
fn is_pass(word: &str) -> bool {
    ANY_WORDS.contains(&word)
        || word.starts_with("pw")
        || word.ends_with("pw")
        || word.ends_with("pass") && !NOT_PASS.contains(&word)
}

/// Returns whether the key at `path` is one of an authentication that has nothing in its name but `key`.
pub(super) fn is_key_of_authentication(path: &[&str]) -> bool {
    let is_key = |name: &&str| matches!(name.to_ascii_lowercase().as_str(), "key" | "keys");
    let is_authentication = |name: &&str| {
        let name = name.to_ascii_lowercase();
        name.starts_with("authentication") || name == "auth"
    };
    path.split_last().is_some_and(|(name, above)| is_key(name) && above.iter().any(is_authentication))
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
            "pass",
            "userpass",
            "user.pass",
            "pw",
            "pw_hash",
            "adminPw",
            "admin_pw",
            "--pw",
            "hmac",
            "licence_key",
            "LicenseKey",
            "priv",
            "private",
            "privkey",
            "conn_str",
            "connection-string",
            "dsn",
            "sentryDsn",
            "db_url",
            "DATABASE_URL",
            "auth_header",
            "jwt",
            "user_jwt",
            "sessionid",
            "session_id",
            "PHPSESSID",
            "totp_seed",
            "seed",
            "otp",
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
            "compass",
            "bypass",
            "pass_through",
            "passive",
            "passenger",
            "pw_file",
            "hmac_algorithm",
            "otp_length",
            "jwt_issuer",
            "private_network",
            "session",
            "connection",
            "base_url",
            "licence",
            "seeding",
            "option",
        ] {
            assert!(!looks_secret(name), "{name}");
        }
    }

    #[test]
    fn keys_of_authentications() {
        for path in [["authentications", "a", "key"], ["x", "authentication", "Keys"], ["x", "auth", "key"]] {
            assert!(is_key_of_authentication(&path), "{path:?}");
        }
        for path in [["storage", "s3", "key"], ["authentications", "key", "method"]] {
            assert!(!is_key_of_authentication(&path), "{path:?}");
        }
    }
}
