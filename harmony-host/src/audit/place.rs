//! The place of an audit log.

use std::path::{Path, PathBuf};

#[cfg(feature = "gateway")]
use crate::audit::segments::Segment;
use crate::storage::atomic_file;
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

    /// Removes the temporary files that a killed process left.
    pub(crate) fn sweep(&self) {
        atomic_file::sweep(&self.directory);
    }

    /// Returns whether there is a log, or was: records, or a key that was made for them.
    ///
    /// # Errors
    /// The error of the operating system.
    #[cfg(feature = "gateway")]
    pub(crate) fn is_begun(&self) -> std::io::Result<bool> {
        let has = |path: &Path| std::fs::symlink_metadata(path).is_ok();
        let mark = match self.has_given_key() {
            true => has(&self.directory.join("audit.head")),
            false => has(&self.key()),
        };
        Ok(mark || !Segment::list(&self.directory)?.is_empty())
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
