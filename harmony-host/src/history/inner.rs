//! The history in memory with its file: what is appended, and when the file is written anew.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;
use std::sync::Arc;

use crate::documents::Documents;
use crate::history::log::{Batch, Log, MAX_BYTES};
use crate::history::state::State;
use crate::history::{Entry, Managed};

/// The number of entries after which forgotten ones leave the file.
const REWRITE_EVERY: u64 = 100;

/// The history in memory, and its file.
#[derive(Debug)]
pub(super) struct Inner {
    pub(super) state: State,
    pub(super) log: Option<Log>,
    /// Set when the file lacks what the state has.
    pub(super) is_behind: bool,
    /// The generation that is served.
    pub(super) served: u64,
    /// The documents that are served.
    pub(super) documents: Option<Arc<Documents>>,
    pub(super) failure: Option<String>,
}

/// The news of an attempt.
#[derive(Default)]
pub(super) struct New<'n> {
    pub(super) entry: Option<&'n Entry>,
    pub(super) texts: &'n [(String, String)],
    pub(super) managed: Option<&'n BTreeMap<String, Managed>>,
    /// Set to write all files of the newest generation.
    pub(super) files: bool,
    /// Set to write the documents that were rolled back.
    pub(super) rolled_back: bool,
}

impl Inner {
    /// Appends an entry with its texts. Rewrites the file if it has become long.
    ///
    /// # Errors
    /// The error of the operating system.
    pub(super) fn append(&mut self, new: New<'_>) -> io::Result<()> {
        let retired = self.state.retire();
        let Some(log) = &mut self.log else { return Ok(()) };
        if self.is_behind {
            return self.rewrite();
        }
        let mut batch = Batch::default();
        for (digest, text) in new.texts.iter().filter(|(digest, _)| !log.has(digest)) {
            batch.text(digest, text)?;
        }
        // In this order: an entry without its files would be one of nothing.
        if new.files {
            batch.files(&self.state)?;
        }
        new.entry.map_or(Ok(()), |entry| batch.entry(entry))?;
        new.managed.map_or(Ok(()), |managed| batch.managed(managed))?;
        if new.rolled_back {
            batch.rolled_back(&self.state.rolled_back)?;
        }
        if batch.is_empty() {
            return Ok(());
        }
        log.append(batch)?;
        let is_long = log.is_long();
        if is_long {
            self.shrink();
        }
        // Forgotten entries leave the file with the next rewrite; not each time, which would write everything for each edit.
        let is_due = retired && self.state.last_id.is_multiple_of(REWRITE_EVERY);
        if is_long || is_due { self.rewrite() } else { Ok(()) }
    }

    /// Writes the file anew, with what an earlier failure has left in memory only.
    ///
    /// # Errors
    /// The error of the operating system.
    pub(super) fn rewrite(&mut self) -> io::Result<()> {
        let Some(log) = &mut self.log else { return Ok(()) };
        let mut current = HashMap::new();
        for (name, file) in self.state.files.iter().filter(|(_, file)| !file.is_pem && !log.has(&file.digest))
        {
            let text = self.documents.as_ref().and_then(|documents| documents.text(name));
            current.extend(text.map(|text| (file.digest.clone(), text.to_owned())));
        }
        log.rewrite(&self.state, &current)?;
        self.is_behind = false;
        Ok(())
    }

    /// Forgets the oldest generations until the texts take half of the limit.
    fn shrink(&mut self) {
        let Some(log) = &self.log else { return };
        let size = |state: &State| {
            let digests: HashSet<&str> = state.referenced().map(|file| file.digest.as_str()).collect();
            digests.into_iter().map(|digest| log.size_of(digest)).sum::<u64>()
        };
        while size(&self.state) > MAX_BYTES / 2 && self.state.forget_oldest() {}
    }
}
