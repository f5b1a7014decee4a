use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::journal::Entry;
use crate::journal::replaced::DIRECTORY as REPLACED;
use crate::storage::atomic_file;
use crate::storage::digest::Digest;
use crate::storage::lock::Lock;

/// The version of the notes' form. A journal with a note of another version is not opened: it is not for this gateway
/// to say what becomes of it.
const SCHEMA: u32 = 2;

/// The longest note that is read.
const MAX_BYTES: u64 = 64 * 1024 * 1024;

/// One file per change, replaced whole at every step, so that a kill at any moment leaves the step before or
/// the step after.
///
/// The first line of a file is the SHA-256 of the rest. Nobody else works in the directory meanwhile.
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

/// What is read of a note before the rest.
#[derive(Deserialize)]
struct Form {
    schema: u32,
}

/// Why a note is not read.
#[derive(Debug)]
pub(super) enum Unread {
    /// What was written is not there any more: nobody will ever read it.
    Damaged(String),
    /// It is whole, and somebody else can read it or it can be read later.
    Refused(String),
}

impl Store {
    pub(super) fn open(directory: &Path) -> io::Result<Self> {
        let lock = Lock::take(directory)?;
        atomic_file::sweep(directory);
        atomic_file::sweep(&directory.join(REPLACED));
        Ok(Self { directory: directory.to_owned(), _lock: lock })
    }

    /// Where the notes are.
    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// All notes, oldest first. One that is damaged is put aside.
    ///
    /// # Errors
    /// A note that is there and cannot be had now, or has a form that is not known here. Nothing happened to it.
    pub(super) fn read(&self) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for file in fs::read_dir(&self.directory)? {
            let path = file?.path();
            if path.extension().is_none_or(|extension| extension != "note") {
                continue;
            }
            match read(&path) {
                Ok(entry) if self.path(&entry) == path => entries.push(entry),
                Ok(_) => put_aside(&path, "it is about another change than its name says"),
                Err(Unread::Damaged(why)) => put_aside(&path, &why),
                Err(Unread::Refused(why)) => {
                    let message = format!("the note {} cannot be read: {why}", path.display());
                    return Err(io::Error::other(message));
                }
            }
        }
        entries.sort_by_key(|entry: &Entry| entry.sequence);
        Ok(entries)
    }

    pub(super) fn write(&self, entry: &Entry) -> io::Result<()> {
        atomic_file::write(&self.path(entry), &encode(entry)?, 0o600)
    }

    pub(super) fn remove(&self, entry: &Entry) -> io::Result<()> {
        atomic_file::remove(&self.path(entry))
    }

    fn path(&self, entry: &Entry) -> PathBuf {
        self.directory.join(format!("{:012}.note", entry.sequence))
    }
}

fn encode(entry: &Entry) -> io::Result<Vec<u8>> {
    let body = serde_json::to_string(&Note { schema: SCHEMA, entry }).map_err(io::Error::other)?;
    Ok(format!("{:#}\n{body}\n", Digest::of(body.as_bytes())).into_bytes())
}

/// Reads a note. Never panics, whatever the bytes.
///
/// # Errors
/// What is wrong with it.
pub(super) fn decode(bytes: &[u8]) -> Result<Entry, Unread> {
    let body = unsealed(bytes).map_err(|why| Unread::Damaged(why.to_owned()))?;
    let garbled = |e: serde_json::Error| Unread::Damaged(format!("it cannot be understood: {e}"));
    let Form { schema } = serde_json::from_str(body).map_err(garbled)?;
    if schema != SCHEMA {
        let message = format!("it has the form {schema}, and this gateway knows the form {SCHEMA}");
        return Err(Unread::Refused(message));
    }
    serde_json::from_str(body).map_err(garbled)
}

fn unsealed(bytes: &[u8]) -> Result<&str, &'static str> {
    let text = std::str::from_utf8(bytes).map_err(|_| "it is not UTF-8")?;
    let (seal, body) = text.split_once('\n').ok_or("it has no seal")?;
    let body = body.strip_suffix('\n').ok_or("its end is missing")?;
    match format!("{:#}", Digest::of(body.as_bytes())) == seal {
        true => Ok(body),
        false => Err("its seal does not fit"),
    }
}

fn read(path: &Path) -> Result<Entry, Unread> {
    let refused = |e: io::Error| Unread::Refused(e.to_string());
    let length = fs::metadata(path).map_err(refused)?.len();
    if length > MAX_BYTES {
        return Err(Unread::Damaged(format!("it has {length} bytes")));
    }
    decode(&fs::read(path).map_err(refused)?)
}

fn put_aside(path: &Path, why: &str) {
    let aside = path.with_extension("damaged");
    let kept = fs::rename(path, &aside).map_or("in its place", |()| "beside the journal");
    tracing::error!(
        note = %path.display(), why, kept,
        "a note of the journal cannot be used; the change it is about gets no verdict from this gateway"
    );
}
