//! The files of the journal: one note per change.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::journal::Entry;

use crate::storage::atomic_file;
use crate::storage::io_error::{self, Explained};
use crate::storage::lock::Lock;
use crate::storage::replaced::DIRECTORY as REPLACED;
use crate::storage::sealed::{seal, unseal};

/// The version of the note format. A journal with a note of another version is not opened: only the gateway version
/// that wrote the note can settle its change.
const SCHEMA: u32 = 2;

/// The size limit of a note in bytes.
const MAX_BYTES: u64 = 64 * 1024 * 1024;

/// The directory of the notes: one file per change, replaced atomically in every phase, so that a kill at any moment
/// leaves the old note or the new one.
///
/// The first line of a file is the SHA-256 of the rest. The lock keeps other gateways out of the directory.
pub(super) struct Store {
    directory: PathBuf,
    _lock: Lock,
}

#[derive(Serialize)]
struct Note<'a> {
    schema: u32,
    #[serde(flatten)]
    entry: &'a Entry,
}

/// The part of a note that every version has.
#[derive(Deserialize)]
struct Header {
    schema: u32,
}

/// The reason for which a note was not read.
#[derive(Debug)]
pub(super) enum ReadError {
    /// The content is lost: no later attempt can read it.
    Damaged(String),
    /// The content may be intact: another version, or a later attempt, can read it.
    Unreadable(String),
}

impl Store {
    pub(super) fn open(directory: &Path) -> io::Result<Self> {
        let lock = Lock::take(directory)?;
        atomic_file::sweep(directory);
        atomic_file::sweep(&directory.join(REPLACED));
        // The record of the first contact is beside the journal, and the lock covers it too.
        if let Some(beside) = directory.parent() {
            atomic_file::sweep(beside);
        }
        Ok(Self { directory: directory.to_owned(), _lock: lock })
    }

    /// Returns the directory of the notes.
    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Reads all notes, oldest first. A damaged one is renamed.
    ///
    /// # Errors
    /// The first note that cannot be read now or has another format version. It is left as it is: skipping it would lose
    /// the change.
    pub(super) fn read(&self) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for file in fs::read_dir(&self.directory).map_err(io_error::at(&self.directory))? {
            let path = file.map_err(io_error::at(&self.directory))?.path();
            if path.extension().is_none_or(|extension| extension != "note") {
                continue;
            }
            match read(&path) {
                Ok(entry) if self.path(&entry) == path => entries.push(entry),
                Ok(_) => put_aside(&path, "the file name does not match the change in it"),
                Err(ReadError::Damaged(reason)) => put_aside(&path, &reason),
                Err(ReadError::Unreadable(reason)) => {
                    let message = format!("the note {} cannot be read: {reason}", path.display());
                    return Err(io::Error::other(message));
                }
            }
        }
        entries.sort_by_key(|entry: &Entry| entry.sequence);
        Ok(entries)
    }

    pub(super) fn write(&self, entry: &Entry) -> io::Result<()> {
        let path = self.path(entry);
        atomic_file::write(&path, &encode(entry)?, 0o600).map_err(io_error::at(&path))
    }

    pub(super) fn remove(&self, entry: &Entry) -> io::Result<()> {
        let path = self.path(entry);
        atomic_file::remove(&path).map_err(io_error::at(&path))
    }

    fn path(&self, entry: &Entry) -> PathBuf {
        self.directory.join(format!("{:012}.note", entry.sequence))
    }
}

fn encode(entry: &Entry) -> io::Result<Vec<u8>> {
    seal(&Note { schema: SCHEMA, entry })
}

/// Decodes a note. Never panics, whatever the bytes.
///
/// # Errors
/// The reason for which the bytes are no note.
pub(super) fn decode(bytes: &[u8]) -> Result<Entry, ReadError> {
    let body = unseal(bytes).map_err(|reason| ReadError::Damaged(reason.to_owned()))?;
    let invalid = |e: serde_json::Error| ReadError::Damaged(format!("the content is invalid: {e}"));
    let Header { schema } = serde_json::from_str(body).map_err(invalid)?;
    if schema != SCHEMA {
        let message = format!("it has format version {schema}; this gateway reads version {SCHEMA}");
        return Err(ReadError::Unreadable(message));
    }
    serde_json::from_str(body).map_err(invalid)
}

fn read(path: &Path) -> Result<Entry, ReadError> {
    let unreadable = |e: io::Error| ReadError::Unreadable(Explained(&e).to_string());
    let length = fs::metadata(path).map_err(unreadable)?.len();
    if length > MAX_BYTES {
        return Err(ReadError::Damaged(format!("the file has {length} bytes, more than {MAX_BYTES}")));
    }
    decode(&fs::read(path).map_err(unreadable)?)
}

/// Renames a damaged note, so that the next start does not read it and an operator can inspect it.
fn put_aside(path: &Path, reason: &str) {
    let aside = path.with_extension("damaged");
    let moved = fs::rename(path, &aside);
    let moved_to = moved.map_or_else(|e| format!("not moved: {e}"), |()| aside.display().to_string());
    tracing::error!(
        note = %path.display(), reason, moved_to,
        "a note of the journal is damaged; its change gets no verdict from this gateway"
    );
}
