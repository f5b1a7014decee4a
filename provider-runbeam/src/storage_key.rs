//! The key of the stored credential: forms, key file, encryption.

use std::fmt;
use std::path::Path;

use age::secrecy::ExposeSecret;
use age::x25519::Identity;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use provider_api::{Error, Result, Secret};
use zeroize::Zeroizing;

use crate::private_file::{self, ReadAccess};

/// The key that encrypts the stored credential: an age X25519 identity, as in the official SDK.
#[derive(Clone)]
pub(crate) struct StorageKey(Identity);

impl StorageKey {
    pub(crate) fn generate() -> Self {
        Self(Identity::generate())
    }

    /// Parses `AGE-SECRET-KEY-1...`, alone or in the file that `age-keygen` writes, or the base64 of either.
    ///
    /// # Errors
    /// Invalid, without any part of the text.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let parsed = identity_in(text).or_else(|first| {
            // `base64` breaks its lines unless it is told not to.
            let encoded: Zeroizing<String> = Zeroizing::new(text.split_whitespace().collect());
            let bytes = Zeroizing::new(STANDARD.decode(encoded.as_bytes()).map_err(|_| first)?);
            identity_in(std::str::from_utf8(&bytes).unwrap_or_default())
        });
        parsed.map(Self).map_err(|_| {
            Error::invalid("is not an age X25519 key: expected AGE-SECRET-KEY-1... or the base64 of it")
        })
    }

    /// Reads the key file at `path`. Returns `None` when there is no such file.
    ///
    /// # Errors
    /// Unavailable when the file cannot be read, holds no key, or is readable for every user of the machine.
    pub(crate) fn read(path: &Path) -> Result<Option<Self>> {
        let unusable =
            |reason: String| Error::unavailable(format!("the key file {} {reason}", path.display()));
        let content =
            private_file::read(path).map_err(|e| unusable("cannot be read".to_owned()).with_source(e))?;
        let Some(content) = content else { return Ok(None) };
        match content.access {
            ReadAccess::OwnerOnly => {}
            ReadAccess::Group => {
                tracing::warn!(file = %path.display(), "the group of the key file can read it; set its mode with `chmod 600`")
            }
            ReadAccess::Everyone => {
                return Err(unusable(
                    "is readable for every user of this machine; set its mode with `chmod 600`, or authorize \
                                   the gateway again if others may have read it"
                        .to_owned(),
                ));
            }
        }
        let text = std::str::from_utf8(&content.bytes).unwrap_or_default();
        Self::parse(text).map(Some).map_err(|e| unusable(e.to_string()))
    }

    /// Writes the key to `path` in the form of the official SDK: base64, readable by the owner only.
    pub(crate) fn write(&self, path: &Path) -> std::io::Result<()> {
        let secret = self.0.to_string();
        let text = Zeroizing::new(STANDARD.encode(secret.expose_secret()));
        private_file::write(path, text.as_bytes()).map(drop)
    }

    pub(crate) fn encrypt(&self, plain: &[u8]) -> Result<Vec<u8>> {
        age::encrypt(&self.0.to_public(), plain)
            .map_err(|e| Error::unavailable("cannot encrypt the credential").with_source(e))
    }

    /// Decrypts `encrypted`. Returns `None` when another key encrypted it, or it is damaged.
    pub(crate) fn decrypt(&self, encrypted: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        age::decrypt(&self.0, encrypted).ok().map(Zeroizing::new)
    }

    /// Parses `text`, with `name` as the subject of the error message.
    pub(crate) fn parse_named(name: &str, text: &Secret) -> Result<Self> {
        Self::parse(text.expose()).map_err(|e| Error::invalid(format!("{name} {e}")))
    }
}

/// Parses the only line of a key file that is neither blank nor a comment. Two keys would be a guess.
fn identity_in(text: &str) -> std::result::Result<Identity, &'static str> {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    match (lines.next(), lines.next()) {
        (Some(line), None) => line.parse(),
        _ => Err("expected one key"),
    }
}

impl fmt::Debug for StorageKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_a_key_are_parsed() {
        let plain = StorageKey::generate().0.to_string();
        let plain = plain.expose_secret();
        for form in [
            plain.to_owned(),
            format!(" {plain}\n"),
            STANDARD.encode(plain),
            STANDARD.encode(format!("{plain}\n")),
        ] {
            let key = StorageKey::parse(&form).unwrap();
            assert_eq!(key.0.to_string().expose_secret(), plain);
        }
        for bad in ["", "AGE-SECRET-KEY-1", "canary", "Y2FuYXJ5"] {
            assert!(!StorageKey::parse(bad).unwrap_err().to_string().contains("canary"), "{bad}");
        }
    }

    /// The documented `RUNBEAM_ENCRYPTION_KEY=$(age-keygen | base64 -w 0)`: the key is a line among comments.
    #[test]
    fn encryption_key_of_age_keygen() {
        let plain = StorageKey::generate().0.to_string();
        let plain = plain.expose_secret();
        let file = format!("# created: 2026-01-01T00:00:00Z\n# public key: age1xyz\n{plain}\n");
        let wrapped =
            STANDARD.encode(&file).as_bytes().chunks(76).map(<[u8]>::to_vec).collect::<Vec<_>>().join(&b'\n');
        for form in [file.clone(), STANDARD.encode(&file), String::from_utf8(wrapped).unwrap()] {
            assert_eq!(StorageKey::parse(&form).unwrap().0.to_string().expose_secret(), plain);
        }
        let two = format!("{file}{}\n", StorageKey::generate().0.to_string().expose_secret());
        assert!(StorageKey::parse(&STANDARD.encode(two)).is_err(), "which of two keys is meant is not known");
    }

    #[test]
    fn only_the_right_key_decrypts() {
        let (ours, theirs) = (StorageKey::generate(), StorageKey::generate());
        let encrypted = ours.encrypt(b"canary").unwrap();
        assert_eq!(&**ours.decrypt(&encrypted).unwrap(), b"canary");
        assert!(theirs.decrypt(&encrypted).is_none() && ours.decrypt(b"canary").is_none());
    }
}
