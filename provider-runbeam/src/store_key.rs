use std::fmt;
use std::path::Path;

use age::secrecy::ExposeSecret;
use age::x25519::Identity;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use provider_api::{Error, Result, Secret};
use zeroize::Zeroizing;

use crate::private_file::{self, Readers};

/// What the stored credential is encrypted with.
#[derive(Clone)]
pub(crate) struct StoreKey(Identity);

impl StoreKey {
    pub(crate) fn generate() -> Self {
        Self(Identity::generate())
    }

    /// `AGE-SECRET-KEY-1...` or the base64 of it.
    ///
    /// # Errors
    /// Invalid, without anything of the text.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let text = text.trim();
        let parsed = text.parse::<Identity>().or_else(|_| {
            let bytes = Zeroizing::new(STANDARD.decode(text).unwrap_or_default());
            std::str::from_utf8(&bytes).unwrap_or_default().trim().parse::<Identity>()
        });
        parsed.map(Self).map_err(|_| {
            Error::invalid("is no age X25519 key: expected AGE-SECRET-KEY-1... or the base64 of it")
        })
    }

    /// The key in `path`; `None` when there is no such file.
    ///
    /// # Errors
    /// Unavailable when it cannot be read, is no key, or everybody may read it.
    pub(crate) fn read(path: &Path) -> Result<Option<Self>> {
        let broken = |why: String| Error::unavailable(format!("the key file {} {why}", path.display()));
        let content =
            private_file::read(path).map_err(|e| broken("cannot be read".to_owned()).with_source(e))?;
        let Some(content) = content else { return Ok(None) };
        match content.readers {
            Readers::Nobody => {}
            Readers::Group => {
                tracing::warn!(file = %path.display(), "the key file may be read by its group; chmod 600 it")
            }
            Readers::Everybody => {
                return Err(broken(
                    "is open to everybody on this machine; `chmod 600` it, or authorize the gateway \
                                   anew if others may have read it"
                        .to_owned(),
                ));
            }
        }
        let text = std::str::from_utf8(&content.bytes).unwrap_or_default();
        Self::parse(text).map(Some).map_err(|e| broken(e.to_string()))
    }

    /// Writes it to `path` as the official SDK does: in base64, for its owner only.
    pub(crate) fn write(&self, path: &Path) -> std::io::Result<()> {
        let secret = self.0.to_string();
        let text = Zeroizing::new(STANDARD.encode(secret.expose_secret()));
        private_file::write(path, text.as_bytes()).map(drop)
    }

    pub(crate) fn encrypt(&self, plain: &[u8]) -> Result<Vec<u8>> {
        age::encrypt(&self.0.to_public(), plain)
            .map_err(|e| Error::unavailable("the credential cannot be encrypted").with_source(e))
    }

    /// `None` when it is not encrypted with this key, or damaged.
    pub(crate) fn decrypt(&self, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        age::decrypt(&self.0, sealed).ok().map(Zeroizing::new)
    }

    /// The key that `given` names in the place `name`.
    pub(crate) fn given(name: &str, given: &Secret) -> Result<Self> {
        Self::parse(given.expose()).map_err(|e| Error::invalid(format!("{name} {e}")))
    }
}

impl fmt::Debug for StoreKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_taken_as_it_is_and_in_base64() {
        let plain = StoreKey::generate().0.to_string();
        let plain = plain.expose_secret();
        for form in [
            plain.to_owned(),
            format!(" {plain}\n"),
            STANDARD.encode(plain),
            STANDARD.encode(format!("{plain}\n")),
        ] {
            let key = StoreKey::parse(&form).unwrap();
            assert_eq!(key.0.to_string().expose_secret(), plain);
        }
        for bad in ["", "AGE-SECRET-KEY-1", "canary", "Y2FuYXJ5"] {
            assert!(!StoreKey::parse(bad).unwrap_err().to_string().contains("canary"), "{bad}");
        }
    }

    #[test]
    fn what_one_key_seals_no_other_opens() {
        let (ours, theirs) = (StoreKey::generate(), StoreKey::generate());
        let sealed = ours.encrypt(b"canary").unwrap();
        assert_eq!(&**ours.decrypt(&sealed).unwrap(), b"canary");
        assert!(theirs.decrypt(&sealed).is_none() && ours.decrypt(b"canary").is_none());
    }
}
