//! The file of the history: entries and texts, each text once. Appended, and rewritten when much of it is outdated.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use crate::history::decode::{Decoded, Line, SCHEMA, checksum, decode};
use crate::history::state::State;
use crate::history::{Entry, Managed, RolledBackFile};
use crate::storage::append::append;
use crate::storage::atomic_file;
use crate::storage::failpoints::kill;
use crate::storage::io_error;
use crate::storage::operations::{Operation, perform};

const FILE: &str = "history.log";

/// The size from which on the oldest generations are forgotten, in bytes. The newest one stays, whatever its size.
pub(super) const MAX_BYTES: u64 = 64 * 1024 * 1024;

/// The file, open for appending, with the places of the texts in it.
#[derive(Debug)]
pub(super) struct Log {
    path: PathBuf,
    file: File,
    /// The length of the intact lines.
    length: u64,
    /// The length after the last rewrite.
    rewritten: u64,
    /// The line of each text: its offset and its length.
    texts: HashMap<String, (u64, usize)>,
}

/// Lines that are appended together.
#[derive(Default)]
pub(super) struct Batch {
    bytes: Vec<u8>,
    texts: HashMap<String, (u64, usize)>,
}

impl Batch {
    pub(super) fn text(&mut self, digest: &str, text: &str) -> io::Result<()> {
        if self.texts.contains_key(digest) {
            return Ok(());
        }
        let start = self.bytes.len();
        self.line(&Line::Text { digest: digest.to_owned(), text: text.to_owned() })?;
        self.texts.insert(digest.to_owned(), (start as u64, self.bytes.len() - start));
        Ok(())
    }

    pub(super) fn entry(&mut self, entry: &Entry) -> io::Result<()> {
        self.line(&Line::Entry(Box::new(entry.clone())))
    }

    /// Adds the files of the newest generation.
    pub(super) fn files(&mut self, state: &State) -> io::Result<()> {
        self.line(&Line::Files(state.files.clone()))
    }

    /// Adds the newest changes of documents, unless there are none.
    pub(super) fn managed(&mut self, managed: &BTreeMap<String, Managed>) -> io::Result<()> {
        if managed.is_empty() { Ok(()) } else { self.line(&Line::Managed(managed.clone())) }
    }

    /// Adds the documents that a rollback has replaced.
    pub(super) fn rolled_back(&mut self, rolled_back: &[RolledBackFile]) -> io::Result<()> {
        self.line(&Line::RolledBack(rolled_back.to_vec()))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    fn line(&mut self, line: &Line) -> io::Result<()> {
        let json = serde_json::to_string(line).map_err(io::Error::other)?;
        self.bytes.extend_from_slice(format!("{} {json}\n", checksum(json.as_bytes())).as_bytes());
        Ok(())
    }
}

impl Log {
    /// Opens the file in `directory`, which need not exist. A line that an append left unfinished is cut off. Behind a damaged
    /// one nothing is read; a copy of the file is saved then.
    ///
    /// # Errors
    /// The error of the operating system; a file of another version.
    pub(super) fn open(directory: &Path) -> io::Result<(Self, State)> {
        atomic_file::make_directory(directory, 0o700).map_err(io_error::at(directory))?;
        atomic_file::sweep(directory);
        let path = directory.join(FILE);
        let located = path.clone();
        let at = io_error::at(&located);
        let bytes = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let make = || OpenOptions::new().append(true).create(true).mode(0o600).open(&path);
                perform(make, |_| Operation::Create(path.clone())).map_err(&at)?;
                atomic_file::sync_directory(directory).map_err(io_error::at(directory))?;
                Vec::new()
            }
            read => read.map_err(&at)?,
        };
        let mut decoded = Decoded::default();
        decoded.read(&bytes).map_err(|reason| at(io::Error::other(reason)))?;
        if decoded.is_damaged {
            let aside = path.with_extension("damaged");
            let copied =
                fs::copy(&path, &aside).map_or_else(|e| e.to_string(), |_| aside.display().to_string());
            tracing::error!(
                history = %path.display(), copied,
                "the history is damaged; the generations behind the damage are not known any more"
            );
        }
        let Decoded { state, texts, intact, .. } = decoded.finished();
        let file = OpenOptions::new().append(true).read(true).open(&path).map_err(&at)?;
        let log = Self { path, file, length: intact, rewritten: intact, texts };
        Ok((log, state))
    }

    /// Returns true for a file without a line.
    pub(super) fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Returns whether the text with this digest is in the file.
    pub(super) fn has(&self, digest: &str) -> bool {
        self.texts.contains_key(digest)
    }

    /// Returns whether the file is so long that it has to be rewritten.
    pub(super) fn is_long(&self) -> bool {
        self.length > MAX_BYTES.max(self.rewritten.saturating_mul(2))
    }

    /// Returns the bytes that a text takes.
    pub(super) fn size_of(&self, digest: &str) -> u64 {
        self.texts.get(digest).map_or(0, |(_, length)| *length as u64)
    }

    /// Returns the text with this digest.
    ///
    /// # Errors
    /// The error of the operating system; a text that is not there or is damaged.
    pub(super) fn text(&self, digest: &str) -> io::Result<String> {
        let missing = || io::Error::new(io::ErrorKind::NotFound, "the history does not have this text");
        let (offset, length) = self.texts.get(digest).copied().ok_or_else(missing)?;
        let mut bytes = vec![0; length];
        self.file.read_exact_at(&mut bytes, offset).map_err(io_error::at(&self.path))?;
        match decode(bytes.strip_suffix(b"\n").unwrap_or_default()) {
            Some(Line::Text { digest: found, text }) if found == digest => Ok(text),
            _ => Err(io_error::at(&self.path)(io::Error::other("a text of the history is damaged"))),
        }
    }

    /// Appends a batch with one write, and syncs it. Nothing was recorded after an error.
    ///
    /// # Errors
    /// The error of the operating system.
    pub(super) fn append(&mut self, batch: Batch) -> io::Result<()> {
        let mut bytes = Vec::new();
        if self.is_empty() {
            let mut first = Batch::default();
            first.line(&Line::Schema(SCHEMA))?;
            bytes = first.bytes;
        }
        let start = self.length + bytes.len() as u64;
        bytes.extend_from_slice(&batch.bytes);
        let Self { file, path, length, .. } = self;
        append(file, path, *length, &bytes, "half-remembered").map_err(io_error::at(path))?;
        self.length += bytes.len() as u64;
        let moved = |(digest, (offset, length))| (digest, (start + offset, length));
        self.texts.extend(batch.texts.into_iter().map(moved));
        kill("remembered");
        Ok(())
    }

    /// Replaces the file by one with the entries of `state` and the texts that they need. `current` has the texts of the newest
    /// generation that the file lacks.
    ///
    /// # Errors
    /// The error of the operating system; the file stays as it is.
    pub(super) fn rewrite(&mut self, state: &State, current: &HashMap<String, String>) -> io::Result<()> {
        let mut batch = Batch::default();
        batch.line(&Line::Schema(SCHEMA))?;
        let mut written = HashSet::new();
        for file in state.referenced().filter(|file| !file.is_pem) {
            if !written.insert(file.digest.clone()) {
                continue;
            }
            // A text that was never recorded is missing; the generation cannot be restored then.
            let text = current.get(&file.digest).cloned().or_else(|| self.text(&file.digest).ok());
            if let Some(text) = text {
                batch.text(&file.digest, &text)?;
            }
        }
        state.entries.iter().try_for_each(|entry| batch.entry(entry))?;
        batch.files(state)?;
        batch.managed(&state.managed)?;
        batch.rolled_back(&state.rolled_back)?;
        atomic_file::write(&self.path, &batch.bytes, 0o600).map_err(io_error::at(&self.path))?;
        let file =
            OpenOptions::new().append(true).read(true).open(&self.path).map_err(io_error::at(&self.path))?;
        let length = batch.bytes.len() as u64;
        (self.file, self.length, self.rewritten) = (file, length, length);
        self.texts = batch.texts;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
