//! The head: the first and the last record that must be there. It is apart from the records, so that a cut log is found.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::audit::chain::{self, Mac, Purpose};
use crate::audit::key::Key;
use crate::storage::atomic_file;
use crate::storage::io_error;

/// The head of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// The number of the oldest record that the retention has left.
    pub(super) first: u64,
    /// The number of the newest record.
    pub(super) last: u64,
    /// Its hash.
    pub(super) mac: Mac,
}

#[derive(Serialize, Deserialize)]
struct Saved {
    first: u64,
    last: u64,
    last_mac: String,
}

/// The state of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    Missing,
    /// Its hash is not of this key.
    Damaged,
    Intact(Head),
}

/// Returns the path of the head in the directory of a log.
fn path(directory: &Path) -> PathBuf {
    directory.join("audit.head")
}

impl Head {
    /// Reads the head of the log in `directory`.
    ///
    /// # Errors
    /// The error of the operating system.
    pub(super) fn read(directory: &Path, key: &Key) -> io::Result<Found> {
        let path = path(directory);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Missing),
            Err(error) => return Err(io_error::at(&path)(error)),
        };
        let decoded = || {
            let (body, mac) = chain::split(bytes.strip_suffix(b"\n")?)?;
            if chain::mac(key, Purpose::Head, Mac::NONE, body.as_bytes()) != mac {
                return None;
            }
            let saved: Saved = chain::parse(body)?;
            Some(Self { first: saved.first, last: saved.last, mac: Mac::parse(&saved.last_mac)? })
        };
        Ok(decoded().map_or(Found::Damaged, Found::Intact))
    }

    /// Replaces the head of the log in `directory`.
    ///
    /// # Errors
    /// The error of the operating system.
    pub(super) fn write(self, directory: &Path, key: &Key) -> io::Result<()> {
        let saved = Saved { first: self.first, last: self.last, last_mac: self.mac.to_string() };
        let mut line = Vec::new();
        chain::seal(key, Purpose::Head, Mac::NONE, &saved, &mut line)?;
        let path = path(directory);
        atomic_file::write(&path, &line, 0o600).map_err(io_error::at(&path))
    }
}
