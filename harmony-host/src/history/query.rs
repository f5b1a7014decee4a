//! Questions about the history.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::history::store::lock;
use crate::history::{Entry, FileRef, History, Outcome};
use crate::storage::io_error::Explained;

/// A part of the entries, newest first.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) entries: Vec<Arc<Entry>>,
    /// The id before which the next page begins; `None` for the last page.
    pub(crate) next: Option<u64>,
    /// The oldest generation that is recorded.
    pub(crate) oldest: Option<u64>,
}

/// The files of a generation.
#[derive(Clone, Debug)]
pub(crate) struct Manifest {
    pub(crate) generation: u64,
    pub(crate) files: BTreeMap<String, FileRef>,
}

/// The reason for which a generation cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NotRecorded {
    /// Older than the oldest that is kept.
    Gone { generation: u64, oldest: u64 },
    /// There was no such generation.
    Unknown { generation: u64, newest: u64 },
    /// Not recorded, or without one of its texts.
    Lost { generation: u64, reason: String },
}

impl History {
    /// Returns at most `limit` entries before the one with the id `before`, newest first.
    pub(crate) fn page(&self, before: Option<u64>, limit: usize) -> Page {
        let inner = lock(&self.inner);
        let mut older =
            inner.state.entries.iter().rev().filter(|entry| before.is_none_or(|id| entry.id < id));
        let entries: Vec<Arc<Entry>> = older.by_ref().take(limit).cloned().collect();
        let next = older.next().and(entries.last()).map(|entry| entry.id);
        let oldest = inner.state.entries.iter().find_map(|entry| entry.generation());
        Page { entries, next, oldest }
    }

    /// Returns the reason for which there is no such generation.
    fn not_recorded(&self, generation: u64) -> NotRecorded {
        let inner = lock(&self.inner);
        let numbers = || inner.state.entries.iter().filter_map(|entry| entry.generation());
        let (oldest, newest) = (numbers().next().unwrap_or(0), numbers().next_back().unwrap_or(0));
        if generation > newest || generation == 0 {
            NotRecorded::Unknown { generation, newest }
        } else if generation < oldest {
            NotRecorded::Gone { generation, oldest }
        } else {
            let reason = "it was not recorded, because the disk failed".to_owned();
            NotRecorded::Lost { generation, reason }
        }
    }

    /// Returns the files of a generation. Blocks.
    ///
    /// # Errors
    /// The reason for which it is not known.
    pub(crate) fn manifest(&self, generation: u64) -> Result<Manifest, NotRecorded> {
        let files = lock(&self.inner).state.files_of(generation);
        files.map(|files| Manifest { generation, files }).ok_or_else(|| self.not_recorded(generation))
    }

    /// Returns the text of a file of a generation. Blocks.
    ///
    /// # Errors
    /// The text is not recorded.
    pub(crate) fn text(&self, manifest: &Manifest, name: &str) -> Result<String, NotRecorded> {
        let lost = |reason: String| NotRecorded::Lost { generation: manifest.generation, reason };
        let file = manifest.files.get(name).ok_or_else(|| lost(format!("it has no {name}")))?;
        let inner = lock(&self.inner);
        let log = inner.log.as_ref().ok_or_else(|| lost("the history cannot be read".to_owned()))?;
        log.text(&file.digest).map_err(|error| lost(format!("{name}: {}", Explained(&error))))
    }
}

impl Outcome {
    /// Returns the verdict, as in JSON.
    pub(crate) fn verdict(&self) -> &'static str {
        match self {
            Self::Applied { .. } => "applied",
            Self::Rejected { .. } => "rejected",
        }
    }
}

impl fmt::Display for NotRecorded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gone { generation, oldest } => {
                write!(f, "generation {generation} is not recorded any more; the oldest one is {oldest}")
            }
            Self::Unknown { generation, newest } => {
                write!(f, "there is no generation {generation}; the newest one is {newest}")
            }
            Self::Lost { generation, reason } => {
                write!(f, "generation {generation} cannot be read: {reason}")
            }
        }
    }
}
