//! The log of the journal: records that are appended, many at a time, with one sync of the disk.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::journal::{Entry, notes};
use crate::storage::append::append;
use crate::storage::atomic_file;
use crate::storage::digest::{Digest, full};
use crate::storage::failpoints::kill;
use crate::storage::io_error;
use crate::storage::lock::Lock;
use crate::storage::replaced::DIRECTORY as REPLACED;

/// The version of the format of the log. One of another version is not opened: only the gateway version that wrote it can
/// settle its changes.
const SCHEMA: u32 = 3;

const FILE: &str = "journal.log";

/// The number of bytes that may be appended before the log is compacted, at least.
const SLACK: u64 = 1024 * 1024;

/// The digits of a checksum in a line.
const CHECKSUM: usize = 32;

/// The log of a journal, and the lock that keeps other gateways out of its directory.
///
/// A line is a record: a checksum, a space and JSON. The records of one call are written and synced together, so that a
/// phase of many changes costs one durable write. A kill or a power cut in the middle of it leaves whole records and at
/// most one torn line at the end, which is cut off: nothing was done yet that depends on it. A damaged line before intact
/// ones is left out and reported, and a copy of the log is saved.
pub(super) struct Log {
    directory: PathBuf,
    file: File,
    /// The length of the intact records; what is behind was not recorded.
    length: u64,
    /// The length after the last compaction.
    compacted: u64,
    _lock: Lock,
}

/// A record: the new state of a change.
pub(super) enum Record<'r> {
    /// The change is as in the first entry; the second is what the log has of it.
    Put(&'r Entry, Option<&'r Entry>),
    /// The change is forgotten.
    Remove(u64),
}

#[derive(Default, Serialize, Deserialize)]
struct Line {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    schema: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    put: Option<Entry>,
    /// Set when the document is that of the record before.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    same_document: bool,
    /// Set when the old content of the files is that of the record before.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    same_before: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    remove: Option<u64>,
}

impl Log {
    /// Opens the log in `directory`, which is created when it is missing. Takes over the notes of an earlier version.
    ///
    /// # Errors
    /// `WouldBlock` when another gateway uses the journal; an intact log or note that cannot be read now; or the error of the
    /// operating system.
    pub(super) fn open(directory: &Path) -> io::Result<(Self, BTreeMap<u64, Entry>)> {
        let lock = Lock::take(directory)?;
        atomic_file::sweep(directory);
        atomic_file::sweep(&directory.join(REPLACED));
        // The record of the first contact is beside the journal, and the lock covers it too.
        if let Some(beside) = directory.parent() {
            atomic_file::sweep(beside);
        }
        let path = directory.join(FILE);
        let bytes = match fs::read(&path) {
            Ok(bytes) => Some(bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(io_error::at(&path)(error)),
        };
        let is_new = bytes.is_none();
        let Decoded { mut entries, intact, damaged } = decode(&bytes.unwrap_or_default())
            .map_err(|reason| io::Error::other(format!("{} cannot be read: {reason}", path.display())))?;
        let noted = notes::read_all(directory)?;
        let has_notes = !noted.is_empty();
        merge(&mut entries, noted);
        if !damaged.is_empty() {
            put_aside(&path, &damaged);
        }
        if is_new || has_notes || !damaged.is_empty() {
            write_whole(&path, entries.values())?;
        }
        notes::retire(directory)?;
        let (file, length) = open_file(&path)?;
        let mut log = Self { directory: directory.to_owned(), file, length, compacted: length, _lock: lock };
        if !is_new && !has_notes && damaged.is_empty() && intact < length {
            tracing::info!(log = %path.display(), "an unfinished record at the end of the journal is cut off");
            log.length = intact;
        }
        Ok((log, entries))
    }

    /// Returns the directory of the journal.
    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Returns the length of the intact records, in bytes.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// Appends records with one write, and syncs them. Nothing was recorded after an error.
    ///
    /// # Errors
    /// The error of the operating system.
    pub(super) fn append(&mut self, records: &[Record<'_>]) -> io::Result<()> {
        if records.is_empty() {
            return Ok(());
        }
        let mut bytes = Vec::new();
        records.iter().try_for_each(|record| encode(record, &mut bytes))?;
        let path = self.directory.join(FILE);
        let appended = append(&mut self.file, &path, self.length, &bytes, "half-noted");
        appended.map_err(io_error::at(&path))?;
        self.length += bytes.len() as u64;
        kill("noted");
        Ok(())
    }

    /// Returns whether the log has much that is outdated.
    pub(super) fn is_long(&self) -> bool {
        self.length > self.compacted.saturating_mul(2).saturating_add(SLACK)
    }

    /// Replaces the log by one with these entries only.
    ///
    /// # Errors
    /// The error of the operating system; the log stays as it is.
    pub(super) fn compact<'e>(&mut self, entries: impl Iterator<Item = &'e Entry>) -> io::Result<()> {
        let path = self.directory.join(FILE);
        write_whole(&path, entries)?;
        let (file, length) = open_file(&path)?;
        (self.file, self.length, self.compacted) = (file, length, length);
        Ok(())
    }
}

fn open_file(path: &Path) -> io::Result<(File, u64)> {
    let file = OpenOptions::new().append(true).open(path).map_err(io_error::at(path))?;
    let length = file.metadata().map_err(io_error::at(path))?.len();
    Ok((file, length))
}

fn write_whole<'e>(path: &Path, entries: impl Iterator<Item = &'e Entry>) -> io::Result<()> {
    let mut bytes = Vec::new();
    line(&Line { schema: Some(SCHEMA), ..Line::default() }, &mut bytes)?;
    for entry in entries {
        encode(&Record::Put(entry, None), &mut bytes)?;
    }
    atomic_file::write(path, &bytes, 0o600).map_err(io_error::at(path))
}

fn encode(record: &Record<'_>, bytes: &mut Vec<u8>) -> io::Result<()> {
    let record = match record {
        Record::Remove(sequence) => Line { remove: Some(*sequence), ..Line::default() },
        Record::Put(entry, None) => Line { put: Some((*entry).clone()), ..Line::default() },
        Record::Put(entry, Some(before)) => {
            let same_document = entry.has_document() && entry.has_document_of(before);
            let same_before = entry.phase.before().is_some_and(|old| !old.is_empty())
                && entry.phase.before() == before.phase.before();
            let put = Some(entry.without(same_document, same_before));
            Line { put, same_document, same_before, ..Line::default() }
        }
    };
    line(&record, bytes)
}

fn line(record: &Line, bytes: &mut Vec<u8>) -> io::Result<()> {
    bytes.extend(line_of(&serde_json::to_vec(record).map_err(io::Error::other)?));
    Ok(())
}

/// Returns the line of a record.
pub(crate) fn line_of(body: &[u8]) -> Vec<u8> {
    [checksum(body).as_bytes(), b" ", body, b"\n"].concat()
}

fn checksum(body: &[u8]) -> String {
    let mut digits = full(Digest::of(body));
    digits.truncate(CHECKSUM);
    digits
}

/// The content of a log.
#[derive(Default)]
pub(super) struct Decoded {
    pub(super) entries: BTreeMap<u64, Entry>,
    /// The number of bytes up to the end of the last intact line.
    pub(super) intact: u64,
    /// The numbers of the damaged lines before it, from 1.
    pub(super) damaged: Vec<usize>,
}

/// Decodes a log. Never panics, whatever the bytes.
///
/// # Errors
/// The reason for which an intact log cannot be read by this version.
pub(super) fn decode(bytes: &[u8]) -> Result<Decoded, String> {
    let (mut decoded, mut damaged, mut at) = (Decoded::default(), Vec::new(), 0);
    for (number, line) in (1..).zip(bytes.split_inclusive(|byte| *byte == b'\n')) {
        at += line.len() as u64;
        let Some(record) = decode_line(line) else {
            damaged.push(number);
            continue;
        };
        if let Some(schema) = record.schema.filter(|schema| *schema != SCHEMA) {
            return Err(format!("it has format version {schema}; this gateway reads version {SCHEMA}"));
        }
        take(&mut decoded.entries, record);
        decoded.intact = at;
        decoded.damaged.append(&mut damaged);
    }
    // More than one line behind the last intact one is no torn write.
    if damaged.len() > 1 {
        decoded.damaged.append(&mut damaged);
    }
    Ok(decoded)
}

fn decode_line(line: &[u8]) -> Option<Line> {
    let line = line.strip_suffix(b"\n")?;
    let (sum, body) = line.split_at_checked(CHECKSUM)?;
    let body = body.strip_prefix(b" ")?;
    (checksum(body).as_bytes() == sum).then(|| serde_json::from_slice(body).ok()).flatten()
}

fn take(entries: &mut BTreeMap<u64, Entry>, record: Line) {
    if let Some(sequence) = record.remove {
        entries.remove(&sequence);
    }
    let Some(mut entry) = record.put else { return };
    if let Some(before) = entries.get(&entry.sequence) {
        entry.complete(before, record.same_document, record.same_before);
    }
    if record.same_document {
        entry.ensure_document();
    }
    entries.insert(entry.sequence, entry);
}

/// Adds the changes of notes that the log does not have.
fn merge(entries: &mut BTreeMap<u64, Entry>, noted: Vec<Entry>) {
    for mut entry in noted {
        let is_known = |known: &Entry| known.provider == entry.provider && known.id == entry.id;
        if entries.values().any(is_known) {
            continue;
        }
        if entries.contains_key(&entry.sequence) {
            entry.sequence = entries.keys().next_back().map_or(1, |last| last + 1);
        }
        entries.insert(entry.sequence, entry);
    }
}

/// Saves a copy of a damaged log, so that an operator can inspect it.
fn put_aside(path: &Path, damaged: &[usize]) {
    let aside = path.with_extension("damaged");
    let copied = fs::copy(path, &aside);
    let copied_to = copied.map_or_else(|e| format!("not copied: {e}"), |_| aside.display().to_string());
    let lines: Vec<String> = damaged.iter().take(10).map(usize::to_string).collect();
    tracing::error!(
        log = %path.display(), lines = lines.join(", "), copied_to,
        "the journal has damaged records; a change whose record is lost may get no verdict from this gateway"
    );
}
