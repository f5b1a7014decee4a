//! The record of a rollback under way: recovery finishes it, or undoes it, after a kill.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::audit::Actor;
use crate::journal::Before;
use crate::storage::atomic_file;
use crate::storage::io_error;
use crate::storage::sealed::{seal, unseal};

/// A rollback whose files are being written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pending {
    /// The generation that is restored.
    pub(crate) to: u64,
    pub(crate) by: Actor,
    /// The files as they were before.
    pub(crate) before: Vec<Before>,
    /// Set once the configuration was live: from then on it is not undone.
    pub(crate) is_live: bool,
}

impl Pending {
    /// Returns the path of the record in the directory of a history.
    fn path(directory: &Path) -> PathBuf {
        directory.join("rollback.pending")
    }

    /// Reads the record in the directory of a history; `None` when no rollback is under way.
    ///
    /// # Errors
    /// The error of the operating system; a damaged record.
    pub(crate) fn read(directory: &Path) -> io::Result<Option<Self>> {
        let path = Self::path(directory);
        let bytes = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            read => read.map_err(io_error::at(&path))?,
        };
        let decoded = unseal(&bytes).map_err(str::to_owned);
        let decoded = decoded.and_then(|body| serde_json::from_str(body).map_err(|error| error.to_string()));
        decoded.map(Some).map_err(|reason| io_error::at(&path)(io::Error::other(reason)))
    }

    /// Writes the record, durably.
    ///
    /// # Errors
    /// The error of the operating system.
    pub(crate) fn write(&self, directory: &Path) -> io::Result<()> {
        atomic_file::make_directory(directory, 0o700).map_err(io_error::at(directory))?;
        let path = Self::path(directory);
        atomic_file::write(&path, &seal(self)?, 0o600).map_err(io_error::at(&path))
    }

    /// Removes the record.
    ///
    /// # Errors
    /// The error of the operating system.
    pub(crate) fn remove(directory: &Path) -> io::Result<()> {
        let path = Self::path(directory);
        atomic_file::remove(&path).map_err(io_error::at(&path))
    }
}
