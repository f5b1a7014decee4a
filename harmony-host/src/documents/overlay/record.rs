//! The record of an overlay: the base that each file stands for, and the changes that wrote it.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::storage::atomic_file;
use crate::storage::operations;
use crate::storage::sealed::{seal, unseal};

/// The version of the file format.
const SCHEMA: u32 = 1;

/// The number of displaced files that stay in the record.
const DISPLACED: usize = 20;

/// The content of the record.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    schema: u32,
    /// By name inside of the configuration.
    pub(super) entries: BTreeMap<String, Entry>,
    /// The files that a newer base has replaced, oldest first.
    #[serde(default)]
    pub(super) displaced: Vec<Displaced>,
    /// The number of the newest copy.
    #[serde(default)]
    pub(super) copies: u64,
}

/// A file of the overlay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    /// The SHA-256 of the base in hexadecimal; `None` if the base had no such file.
    pub(super) base: Option<String>,
    /// The writes that the file may be from. There is more than one while a change is being applied.
    pub(super) writes: Vec<Write>,
}

/// A write of a file by a change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Write {
    /// The SHA-256 of the text in hexadecimal.
    pub(crate) digest: String,
    pub(crate) change: String,
    pub(crate) kind: String,
    pub(crate) at: Timestamp,
}

/// A file of the overlay that a newer base has replaced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Displaced {
    /// The name inside of the configuration.
    pub(crate) file: String,
    /// The change that wrote it; `None` for an edit by hand.
    pub(crate) change: Option<String>,
    pub(crate) at: Timestamp,
    /// The path of the copy.
    pub(crate) copy: PathBuf,
}

fn path(directory: &Path) -> PathBuf {
    directory.join("overlay.json")
}

impl Record {
    /// Reads the record of the overlay in `directory`. A missing one is empty. So is a damaged one, with an error in the
    /// log: the files then hold as if they were made by hand over the current base.
    pub(super) fn read(directory: &Path) -> Self {
        let path = path(directory);
        let reason = match fs::read(&path) {
            Ok(bytes) => match decode(&bytes) {
                Ok(record) => return record,
                Err(reason) => reason,
            },
            // A state directory that cannot be entered has never been written to by this user.
            Err(error)
                if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied) =>
            {
                return Self::default();
            }
            Err(error) => error.to_string(),
        };
        tracing::error!(
            record = %path.display(), reason,
            "the record of the overlay is damaged; its files hold until they are edited or removed"
        );
        Self::default()
    }

    /// Writes the record. A damaged one is kept beside it.
    ///
    /// # Errors
    /// The error of the operating system.
    pub(super) fn write(&mut self, directory: &Path) -> io::Result<()> {
        atomic_file::make_directory(directory, 0o700)?;
        let path = path(directory);
        if fs::read(&path).is_ok_and(|bytes| decode(&bytes).is_err()) {
            operations::rename(&path, &path.with_extension("damaged"))?;
        }
        self.schema = SCHEMA;
        atomic_file::write(&path, &seal(self)?, 0o600)
    }

    /// Adds a write of a file, of which an earlier write is on the disk if `known`.
    pub(super) fn add(&mut self, inside: String, base: Option<String>, write: Write, known: bool) {
        self.displaced.retain(|displaced| displaced.file != inside);
        let entry = self.entries.entry(inside).or_insert_with(|| Entry { base: None, writes: Vec::new() });
        entry.base = base;
        if !known {
            entry.writes.clear();
        }
        entry.writes.retain(|earlier| earlier.digest != write.digest);
        entry.writes.push(write);
    }

    /// Adds a file that was made by hand.
    pub(super) fn adopt(&mut self, inside: &str, base: Option<String>) {
        self.displaced.retain(|displaced| displaced.file != inside);
        self.entries.insert(inside.to_owned(), Entry { base, writes: Vec::new() });
    }

    /// Adds a file that a newer base has replaced.
    pub(super) fn displace(&mut self, displaced: Displaced) {
        self.displaced.retain(|earlier| earlier.file != displaced.file);
        self.displaced.push(displaced);
        let surplus = self.displaced.len().saturating_sub(DISPLACED);
        self.displaced.drain(..surplus);
    }
}

impl Entry {
    /// Returns the write that a file with this checksum is from; `None` for an edit by hand.
    pub(super) fn write_of(&self, digest: &str) -> Option<&Write> {
        self.writes.iter().find(|write| write.digest == digest)
    }
}

fn decode(bytes: &[u8]) -> Result<Record, String> {
    let record: Record = serde_json::from_str(unseal(bytes)?).map_err(|e| e.to_string())?;
    match record.schema {
        SCHEMA => Ok(record),
        other => Err(format!("the file has format version {other}; this gateway reads version {SCHEMA}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(digest: &str) -> Write {
        let (change, kind) = ("01A".to_owned(), "pipeline".to_owned());
        Write { digest: digest.to_owned(), change, kind, at: Timestamp::UNIX_EPOCH }
    }

    #[test]
    fn damaged_record_is_kept_aside() {
        let dir = tempfile::tempdir().unwrap();
        let mut record = Record::default();
        record.add("a.toml".to_owned(), None, write("one"), false);
        record.write(dir.path()).unwrap();
        assert_eq!(Record::read(dir.path()), record);
        fs::write(path(dir.path()), "damaged").unwrap();
        assert_eq!(Record::read(dir.path()), Record::default());
        record.write(dir.path()).unwrap();
        assert_eq!(Record::read(dir.path()), record);
        assert_eq!(fs::read(dir.path().join("overlay.damaged")).unwrap(), b"damaged");
    }

    #[test]
    fn file_selects_its_write() {
        let mut record = Record::default();
        let name = || "a.toml".to_owned();
        record.add(name(), Some("base".to_owned()), write("one"), false);
        record.add(name(), Some("base".to_owned()), write("two"), true);
        let entry = &record.entries["a.toml"];
        assert_eq!(
            (entry.write_of("one"), entry.write_of("two")),
            (Some(&write("one")), Some(&write("two")))
        );
        assert_eq!(entry.write_of("by hand"), None);
        // Without a file, the earlier writes are history.
        record.add(name(), None, write("three"), false);
        assert_eq!(record.entries["a.toml"], Entry { base: None, writes: vec![write("three")] });
    }
}
