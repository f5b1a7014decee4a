//! The lines of the history's file, and reading them.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use crate::history::state::{Files, State};
use crate::history::{Entry, Managed, RolledBackFile};
use crate::storage::digest::{Digest, full};

/// The version of the format.
pub(super) const SCHEMA: u32 = 1;

/// The digits of a checksum in a line.
const CHECKSUM: usize = 32;

/// A line of the file.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Line {
    Schema(u32),
    Text {
        digest: String,
        text: String,
    },
    Entry(Box<Entry>),
    /// All files of a generation: of the last entry before this line, or else of the first one behind it.
    Files(Files),
    /// The newest changes of documents, by file, beside those that are known.
    Managed(BTreeMap<String, Managed>),
    /// All documents that a rollback has replaced.
    RolledBack(Vec<RolledBackFile>),
}

/// The result of reading the file.
#[derive(Default)]
pub(super) struct Decoded {
    pub(super) state: State,
    pub(super) texts: HashMap<String, (u64, usize)>,
    /// The length of the intact lines.
    pub(super) intact: u64,
    pub(super) is_damaged: bool,
}

impl Decoded {
    /// Reads the lines up to the first that is damaged.
    ///
    /// # Errors
    /// A file of another version.
    pub(super) fn read(&mut self, bytes: &[u8]) -> Result<(), String> {
        let mut lines = bytes.split_inclusive(|byte| *byte == b'\n');
        while let Some(line) = lines.next() {
            let decoded = line.strip_suffix(b"\n").map(decode);
            match decoded {
                // Only the last line can be without an end: an append did not finish.
                None => return Ok(()),
                Some(None) => {
                    self.is_damaged = true;
                    self.take_numbers(lines);
                    return Ok(());
                }
                Some(Some(decoded)) => self.take(decoded, line.len())?,
            }
            self.intact += line.len() as u64;
        }
        Ok(())
    }

    /// Takes the numbers of the entries behind a damage: none of them is used again.
    fn take_numbers<'l>(&mut self, lines: impl Iterator<Item = &'l [u8]>) {
        for line in lines {
            let Some(Line::Entry(entry)) = line.strip_suffix(b"\n").and_then(decode) else { continue };
            self.state.last_id = self.state.last_id.max(entry.id);
            if let Some(generation) = entry.generation() {
                // The files that are known are of an earlier one, so that no digest is that of the newest.
                self.state.newest = Some((generation, String::new()));
            }
        }
    }

    /// Forgets entries whose files are not known.
    pub(super) fn finished(mut self) -> Self {
        if !self.state.has_files {
            self.state.entries.clear();
            let newest = self.state.newest.take();
            self.state.newest = newest.map(|(generation, _)| (generation, String::new()));
        }
        self
    }

    fn take(&mut self, line: Line, length: usize) -> Result<(), String> {
        match line {
            Line::Schema(SCHEMA) => {}
            Line::Schema(other) => {
                return Err(format!("it has format version {other}; this gateway reads version {SCHEMA}"));
            }
            Line::Text { digest, .. } => drop(self.texts.insert(digest, (self.intact, length))),
            Line::Entry(entry) if self.state.has_files => drop(self.state.add(*entry)),
            Line::Entry(entry) => drop(self.state.list(*entry)),
            Line::Files(files) => (self.state.files, self.state.has_files) = (files, true),
            Line::Managed(managed) => self.state.managed.extend(managed),
            Line::RolledBack(rolled_back) => self.state.rolled_back = rolled_back,
        }
        Ok(())
    }
}

/// Parses a line without its end; `None` for a damaged one.
pub(super) fn decode(line: &[u8]) -> Option<Line> {
    let (sum, body) = line.split_at_checked(CHECKSUM)?;
    let body = body.strip_prefix(b" ")?;
    (checksum(body).as_bytes() == sum).then(|| serde_json::from_slice(body).ok()).flatten()
}

/// Returns the checksum in front of the text of a line.
pub(super) fn checksum(body: &[u8]) -> String {
    let mut digits = full(Digest::of(body));
    digits.truncate(CHECKSUM);
    digits
}
