//! The place of an audit log.

use std::path::{Path, PathBuf};

use crate::storage::digest::{Digest, full};

/// The directory of the audit log of one configuration, and the file of its key.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(super) directory: PathBuf,
    /// The file that the operator named.
    given_key: Option<PathBuf>,
}

impl Place {
    /// Returns the place for the configuration at `config_path`. `key` is the file of the key that the operator named.
    pub(crate) fn new(state: &Path, config_path: &Path, key: Option<PathBuf>) -> Self {
        let digest = Digest::of(config_path.as_os_str().as_encoded_bytes());
        Self { directory: state.join("harmony").join("audit").join(full(digest)), given_key: key }
    }

    /// Returns the directory.
    #[cfg(feature = "gateway")]
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Returns the file of the key.
    pub(crate) fn key(&self) -> PathBuf {
        self.given_key.clone().unwrap_or_else(|| self.directory.join("audit.key"))
    }

    /// Returns whether the operator named the file of the key. It is then not made.
    pub(super) fn has_given_key(&self) -> bool {
        self.given_key.is_some()
    }
}
