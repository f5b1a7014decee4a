//! The notes of earlier versions: one file per change. They are read once, into the log.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;
#[cfg(test)]
use serde::Serialize;

use crate::journal::Entry;
use crate::storage::atomic_file;
use crate::storage::io_error::{self, Explained};
use crate::storage::operations;
use crate::storage::sealed::{seal, unseal};

/// The version of the format of notes.
const SCHEMA: u32 = 2;

/// The size limit of a note in bytes.
const MAX_BYTES: u64 = 64 * 1024 * 1024;

/// The note that keeps earlier versions out: it has a format version that they do not read, so they do not open a journal
/// whose log they cannot see.
const SENTINEL: &str = "log.note";

/// A note as earlier versions wrote it: the SHA-256 of the rest in the first line, then JSON.
#[cfg(test)]
#[derive(Serialize)]
pub(super) struct Note<'a> {
    pub(super) schema: u32,
    #[serde(flatten)]
    pub(super) entry: &'a Entry,
}

/// The part of a note that every version has.
#[derive(Deserialize)]
struct Header {
    schema: u32,
}

/// The error of a note that cannot be read.
#[derive(Debug)]
pub(super) enum ReadError {
    /// The content is lost: no later attempt can read it.
    Damaged(String),
    /// The content may be intact: another version, or a later attempt, can read it.
    Unreadable(String),
}

/// Reads all notes in `directory`, oldest first. A damaged one is renamed.
///
/// # Errors
/// The first note that cannot be read now or has another format version. It is left as it is: skipping it would lose the
/// change.
pub(super) fn read_all(directory: &Path) -> io::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for path in paths(directory)? {
        match read(&path) {
            Ok(entry) if path_of(directory, &entry) == path => entries.push(entry),
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

/// Writes the sentinel, and removes all notes: the log has them.
///
/// # Errors
/// The error of the operating system; the next opening tries it again.
pub(super) fn retire(directory: &Path) -> io::Result<()> {
    let sentinel = directory.join(SENTINEL);
    if !sentinel.exists() {
        let body = serde_json::json!({ "schema": SCHEMA + 1 });
        atomic_file::write(&sentinel, &seal(&body)?, 0o600).map_err(io_error::at(&sentinel))?;
    }
    paths(directory)?.iter().try_for_each(|path| atomic_file::remove(path).map_err(io_error::at(path)))
}

fn paths(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for file in fs::read_dir(directory).map_err(io_error::at(directory))? {
        let path = file.map_err(io_error::at(directory))?.path();
        let is_note = path.extension().is_some_and(|extension| extension == "note");
        if is_note && path.file_name().is_none_or(|name| name != SENTINEL) {
            paths.push(path);
        }
    }
    Ok(paths)
}

pub(super) fn path_of(directory: &Path, entry: &Entry) -> PathBuf {
    directory.join(format!("{:012}.note", entry.sequence))
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
    let moved = operations::rename(path, &aside);
    let moved_to = moved.map_or_else(|e| format!("not moved: {e}"), |()| aside.display().to_string());
    tracing::error!(
        note = %path.display(), reason, moved_to,
        "a note of the journal is damaged; its change gets no verdict from this gateway"
    );
}
