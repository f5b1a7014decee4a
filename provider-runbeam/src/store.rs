//! The store of the machine token: an encrypted file that the official SDK shares.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use provider_api::{Error, Result, Secret};

use crate::credential::Credential;
use crate::private_file::{self, Stamp};
use crate::seen_tokens::SeenTokens;
use crate::storage_key::StorageKey;

/// The stored credential of one gateway, in the format and the paths of the official SDK:
/// `{state_dir}/{gateway}/runbeam/auth.json`, encrypted with the key of the environment, or else with that of
/// `{state_dir}/{gateway}/encryption.key`. The methods do blocking I/O.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    token_file: PathBuf,
    key_file: PathBuf,
    environment_key: Option<Secret>,
}

/// The result of reading the store.
#[derive(Clone, Debug)]
pub(crate) enum Loaded {
    Missing,
    Credential(Box<Credential>),
    /// The stored credential cannot be used: the reason and the remedy.
    Unusable(String),
}

impl Store {
    /// Creates the store of a gateway. Does no I/O.
    ///
    /// # Errors
    /// Invalid when the id of the gateway is not usable as a directory name.
    pub(crate) fn new(state_dir: &Path, gateway: &str, environment_key: Option<Secret>) -> Result<Self> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
        let fits =
            (1..=128).contains(&gateway.len()) && gateway.bytes().all(allowed) && !gateway.starts_with('.');
        if !fits {
            return Err(Error::invalid(
                "the id of this gateway is not usable as a directory name (letters, digits, . _ and -), so no machine \
                 token can be stored for it; change `id` in [proxy], or use RUNBEAM_MACHINE_TOKEN",
            ));
        }
        let home = state_dir.join(gateway);
        let token_file = home.join("runbeam").join("auth.json");
        Ok(Self { token_file, key_file: home.join("encryption.key"), environment_key })
    }

    /// Returns the stamp of the token file, to notice that another process stored a token.
    pub(crate) fn stamp(&self) -> Option<Stamp> {
        Stamp::of(&self.token_file)
    }

    /// Returns the memory of the tokens of the environment.
    pub(crate) fn seen_tokens(&self) -> SeenTokens {
        SeenTokens(self.key_file.with_file_name("seen-tokens.json"))
    }

    /// Reads the credential for `origin`. Creates no file.
    pub(crate) fn load(&self, origin: &str) -> (Loaded, Option<Stamp>) {
        let file = self.token_file.display();
        let content = match private_file::read(&self.token_file) {
            Ok(Some(content)) => content,
            Ok(None) => return (Loaded::Missing, None),
            Err(e) => {
                let reason = format!(
                    "the stored machine token {file} cannot be read ({e}); repair it or authorize the gateway again"
                );
                return (Loaded::Unusable(reason), self.stamp());
            }
        };
        let credential = self.decrypt(&content.bytes).and_then(|credential| match &credential.control_plane {
            Some(other) if other != origin => Err(format!(
                "the stored machine token {file} is for {}, not for the configured {origin}; authorize the gateway again",
                other.escape_debug().take(100).collect::<String>()
            )),
            _ => Ok(credential),
        });
        let loaded = match credential {
            Ok(credential) => Loaded::Credential(Box::new(credential)),
            Err(reason) => Loaded::Unusable(reason),
        };
        (loaded, Some(content.stamp))
    }

    fn decrypt(&self, encrypted: &[u8]) -> Result<Credential, String> {
        let file = self.token_file.display();
        let mut problems = Vec::new();
        // The environment first, as in the SDK. The key file is tried as well, since enrollment may have brought a key
        // that differs from the one of the environment.
        let keys = [self.environment_key(), StorageKey::read(&self.key_file)];
        for key in keys {
            match key {
                Ok(Some(key)) => {
                    match key.decrypt(encrypted) {
                        Some(json) => {
                            return Credential::from_json(&json).map_err(|e| {
                            format!("the stored machine token {file} is damaged: {e}; authorize the gateway again")
                        });
                        }
                        None => problems.push("an available key does not decrypt it".to_owned()),
                    }
                }
                Ok(None) => {}
                Err(error) => problems.push(error.to_string()),
            }
        }
        if problems.is_empty() {
            problems.push(format!("there is no key file {}", self.key_file.display()));
        }
        Err(format!(
            "the stored machine token {file} cannot be decrypted: {}; set RUNBEAM_ENCRYPTION_KEY to the key it was \
             encrypted with, or authorize the gateway again",
            problems.join("; ")
        ))
    }

    /// Replaces the stored credential. With `key`, that key is written to the key file and used.
    ///
    /// # Errors
    /// Invalid when a key cannot be parsed, Unavailable when a file cannot be written. The stored credential is
    /// unchanged then.
    pub(crate) fn save(
        &self,
        credential: &Credential,
        key: Option<&Secret>,
        now: SystemTime,
    ) -> Result<Option<Stamp>> {
        let json = credential.to_json(now)?;
        let previous_key = match key {
            Some(_) => private_file::read(&self.key_file).ok().flatten(),
            None => None,
        };
        let storage_key = match key {
            Some(text) => {
                let storage_key = StorageKey::parse_named("the storage key", text)?;
                self.write_key(&storage_key)?;
                storage_key
            }
            None => self.key_or_create()?,
        };
        let written = storage_key.encrypt(&json).and_then(|encrypted| {
            private_file::write(&self.token_file, &encrypted).map_err(|e| write_error(&self.token_file, e))
        });
        // The earlier token is still there and needs its earlier key.
        if let (Err(_), Some(previous)) = (&written, previous_key)
            && let Err(error) = private_file::write(&self.key_file, &previous.bytes)
        {
            tracing::warn!(file = %self.key_file.display(), %error, "cannot restore the previous key file");
        }
        written.map(Some)
    }

    /// Returns the key to encrypt with. Creates the key file when there is no key.
    fn key_or_create(&self) -> Result<StorageKey> {
        if let Some(key) = self.environment_key()? {
            return Ok(key);
        }
        if let Some(key) = StorageKey::read(&self.key_file)? {
            return Ok(key);
        }
        let key = StorageKey::generate();
        self.write_key(&key)?;
        Ok(key)
    }

    fn environment_key(&self) -> Result<Option<StorageKey>> {
        self.environment_key
            .as_ref()
            .map(|key| StorageKey::parse_named("RUNBEAM_ENCRYPTION_KEY", key))
            .transpose()
    }

    fn write_key(&self, key: &StorageKey) -> Result<()> {
        key.write(&self.key_file).map_err(|e| write_error(&self.key_file, e))
    }
}

fn write_error(path: &Path, error: std::io::Error) -> Error {
    let remedy = private_file::remedy(&error);
    Error::unavailable(format!("cannot write {}, so the credential is not stored; {remedy}", path.display()))
        .with_source(error)
}
