//! The entries of the journal in memory.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::journal::entry::Entry;

/// The entries, and their sequence numbers by provider, its source, and change.
#[derive(Default)]
pub(super) struct State {
    pub(super) entries: BTreeMap<u64, Arc<Entry>>,
    pub(super) by_change: HashMap<(String, Option<String>, String), u64>,
}

impl State {
    pub(super) fn insert(&mut self, entry: Arc<Entry>) {
        self.by_change.insert(key_of(&entry), entry.sequence);
        self.entries.insert(entry.sequence, entry);
    }

    pub(super) fn remove(&mut self, entry: &Entry) {
        self.entries.remove(&entry.sequence);
        let key = key_of(entry);
        if self.by_change.get(&key) == Some(&entry.sequence) {
            self.by_change.remove(&key);
        }
    }
}

fn key_of(entry: &Entry) -> (String, Option<String>, String) {
    (entry.provider.clone(), entry.store.clone(), entry.id.clone())
}
