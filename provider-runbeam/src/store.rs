use std::path::{Path, PathBuf};
use std::time::SystemTime;

use provider_api::{Error, Result, Secret};

use crate::credential::Credential;
use crate::private_file::{self, Stamp};
use crate::store_key::StoreKey;

/// Where one gateway's credential is kept, in the format and the places of the official SDK:
/// `{state_dir}/{gateway}/runbeam/auth.json`, encrypted with a key of the environment or else of
/// `{state_dir}/{gateway}/encryption.key`. Its methods block.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    sealed: PathBuf,
    key_file: PathBuf,
    environment_key: Option<Secret>,
}

/// What is stored.
#[derive(Clone, Debug)]
pub(crate) enum Found {
    Nothing,
    Credential(Box<Credential>),
    /// Something that cannot be used: why, and what to do.
    Unusable(String),
}

impl Store {
    /// # Errors
    /// Invalid when the id of the gateway is not fit to be the name of a directory.
    pub(crate) fn new(state_dir: &Path, gateway: &str, environment_key: Option<Secret>) -> Result<Self> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
        let fits =
            (1..=128).contains(&gateway.len()) && gateway.bytes().all(allowed) && !gateway.starts_with('.');
        if !fits {
            return Err(Error::invalid(
                "the id of this gateway cannot name a directory (letters, digits, . _ and - can), so no machine \
                 token can be stored for it; change `id` in [proxy], or use RUNBEAM_MACHINE_TOKEN",
            ));
        }
        let home = state_dir.join(gateway);
        let sealed = home.join("runbeam").join("auth.json");
        Ok(Self { sealed, key_file: home.join("encryption.key"), environment_key })
    }

    /// What tells whether somebody stored something since.
    pub(crate) fn stamp(&self) -> Option<Stamp> {
        Stamp::of(&self.sealed)
    }

    /// Reads what is stored for `origin`. Makes nothing.
    pub(crate) fn load(&self, origin: &str) -> (Found, Option<Stamp>) {
        let file = self.sealed.display();
        let content = match private_file::read(&self.sealed) {
            Ok(Some(content)) => content,
            Ok(None) => return (Found::Nothing, None),
            Err(e) => {
                let why = format!(
                    "the stored machine token {file} cannot be read ({e}); repair it or authorize the gateway again"
                );
                return (Found::Unusable(why), self.stamp());
            }
        };
        let found = self.open(&content.bytes).and_then(|credential| match &credential.control_plane {
            Some(other) if other != origin => Err(format!(
                "the stored machine token {file} is for {}, not for the configured {origin}; authorize the gateway again",
                other.escape_debug().take(100).collect::<String>()
            )),
            _ => Ok(credential),
        });
        let found = match found {
            Ok(credential) => Found::Credential(Box::new(credential)),
            Err(why) => Found::Unusable(why),
        };
        (found, Some(content.stamp))
    }

    fn open(&self, sealed: &[u8]) -> Result<Credential, String> {
        let file = self.sealed.display();
        let mut problems = Vec::new();
        // The environment first, as the SDK does; the file second, since a key may have come with a credential.
        let keys = [self.key_of_environment(), StoreKey::read(&self.key_file)];
        for key in keys {
            match key {
                Ok(Some(key)) => {
                    match key.decrypt(sealed) {
                        Some(json) => {
                            return Credential::from_json(&json).map_err(|e| {
                            format!("the stored machine token {file} is damaged, {e}; authorize the gateway again")
                        });
                        }
                        None => problems.push("a key that is known here does not open it".to_owned()),
                    }
                }
                Ok(None) => {}
                Err(error) => problems.push(error.to_string()),
            }
        }
        if problems.is_empty() {
            problems.push(format!("there is no key {}", self.key_file.display()));
        }
        Err(format!(
            "the stored machine token {file} cannot be decrypted: {}; set RUNBEAM_ENCRYPTION_KEY to the key it was \
             stored under, or authorize the gateway again",
            problems.join("; ")
        ))
    }

    /// Replaces what is stored. With `key`, that becomes the key of the key file.
    ///
    /// # Errors
    /// Invalid when a key is none, Unavailable when it cannot be written: then what was stored still is.
    pub(crate) fn save(
        &self,
        credential: &Credential,
        key: Option<&Secret>,
        now: SystemTime,
    ) -> Result<Option<Stamp>> {
        let json = credential.to_json(now)?;
        let before = match key {
            Some(_) => private_file::read(&self.key_file).ok().flatten(),
            None => None,
        };
        let sealing = match key {
            Some(given) => {
                let sealing = StoreKey::given("the storage key", given)?;
                self.write_key(&sealing)?;
                sealing
            }
            None => self.key()?,
        };
        let written = sealing.encrypt(&json).and_then(|sealed| {
            private_file::write(&self.sealed, &sealed).map_err(|e| self.unwritable(&self.sealed, e))
        });
        if let (Err(_), Some(before)) = (&written, before)
            && let Err(error) = private_file::write(&self.key_file, &before.bytes)
        {
            tracing::warn!(file = %self.key_file.display(), %error, "the former key could not be put back");
        }
        written.map(Some)
    }

    /// The key to store with, made when there is none.
    fn key(&self) -> Result<StoreKey> {
        if let Some(key) = self.key_of_environment()? {
            return Ok(key);
        }
        if let Some(key) = StoreKey::read(&self.key_file)? {
            return Ok(key);
        }
        let key = StoreKey::generate();
        self.write_key(&key)?;
        Ok(key)
    }

    fn key_of_environment(&self) -> Result<Option<StoreKey>> {
        self.environment_key.as_ref().map(|key| StoreKey::given("RUNBEAM_ENCRYPTION_KEY", key)).transpose()
    }

    fn write_key(&self, key: &StoreKey) -> Result<()> {
        key.write(&self.key_file).map_err(|e| self.unwritable(&self.key_file, e))
    }

    fn unwritable(&self, path: &Path, error: std::io::Error) -> Error {
        Error::unavailable(format!("{} cannot be written, so nothing was stored", path.display()))
            .with_source(error)
    }
}
