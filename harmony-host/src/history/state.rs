//! The history in memory: entries, and the files of the newest generation. No texts.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::history::entry::Delta;
use crate::history::{Entry, FileRef, Managed, Outcome, RolledBackFile};

/// The number of generations that are kept.
pub(super) const GENERATIONS: usize = 500;

/// The number of refused attempts that are kept. They are counted apart: they must not drive out what can be restored.
pub(super) const REJECTED: usize = 200;

/// The files of one generation.
pub(super) type Files = BTreeMap<String, FileRef>;

/// The history in memory.
#[derive(Debug, Default)]
pub(super) struct State {
    /// Oldest first.
    pub(super) entries: VecDeque<Arc<Entry>>,
    /// The files of the newest generation.
    pub(super) files: Files,
    /// Set once these are known.
    pub(super) has_files: bool,
    /// The number of the newest generation, and the digest of its files.
    pub(super) newest: Option<(u64, String)>,
    /// The number of the newest entry.
    pub(super) last_id: u64,
    /// The documents of the control plane, by file.
    pub(super) managed: BTreeMap<String, Managed>,
    pub(super) rolled_back: Vec<RolledBackFile>,
}

impl State {
    /// Adds an entry, and the changes of its files.
    pub(super) fn add(&mut self, entry: Entry) -> Arc<Entry> {
        for Delta { name, after, .. } in &entry.files {
            match after {
                Some(after) => drop(self.files.insert(name.clone(), after.clone())),
                None => drop(self.files.remove(name)),
            }
        }
        self.list(entry)
    }

    /// Adds an entry whose files are known already.
    pub(super) fn list(&mut self, entry: Entry) -> Arc<Entry> {
        self.last_id = self.last_id.max(entry.id);
        if let Outcome::Applied { generation } = entry.outcome {
            self.newest = Some((generation, entry.digest.clone()));
        }
        let entry = Arc::new(entry);
        self.entries.push_back(Arc::clone(&entry));
        entry
    }

    /// Returns the files of a generation: those of the newest, with every later entry undone. `None` for one that is not
    /// recorded.
    pub(super) fn files_of(&self, generation: u64) -> Option<Files> {
        let at = self.entries.iter().rposition(|entry| entry.generation() == Some(generation))?;
        let mut files = self.files.clone();
        for delta in self.entries.iter().skip(at + 1).rev().flat_map(|entry| entry.files.iter().rev()) {
            match &delta.before {
                Some(before) => drop(files.insert(delta.name.clone(), before.clone())),
                None => drop(files.remove(&delta.name)),
            }
        }
        Some(files)
    }

    /// Returns every file that a generation may need: those of the newest, and those that an entry has replaced.
    pub(super) fn referenced(&self) -> impl Iterator<Item = &FileRef> {
        // What the oldest entry has replaced belongs to no generation that is left.
        let replaced = self.entries.iter().skip(1).flat_map(|entry| &entry.files);
        self.files.values().chain(replaced.filter_map(|delta| delta.before.as_ref()))
    }

    /// Forgets the oldest entry of a kind, as long as there are more than `most` of it. Returns whether one was forgotten.
    pub(super) fn retire(&mut self) -> bool {
        let mut retired = false;
        for (is_applied, most) in [(true, GENERATIONS), (false, REJECTED)] {
            let is_kind = |entry: &Arc<Entry>| entry.generation().is_some() == is_applied;
            while self.entries.iter().filter(|entry| is_kind(entry)).count() > most {
                let Some(at) = self.entries.iter().position(is_kind) else { break };
                self.entries.remove(at);
                retired = true;
            }
        }
        retired
    }

    /// Forgets the oldest generation, and what was refused before it. Returns false when only the newest is left.
    pub(super) fn forget_oldest(&mut self) -> bool {
        let mut generations =
            self.entries.iter().enumerate().filter(|(_, entry)| entry.generation().is_some());
        let _ = generations.next();
        let Some((second, _)) = generations.next() else { return false };
        self.entries.drain(..second);
        true
    }
}
