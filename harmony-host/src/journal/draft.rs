//! The changes of entries that are about to be recorded together.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::journal::entry::Entry;
use crate::journal::state::State;

/// An entry before and after; `None` before it is added and after it is removed.
pub(super) type Changed = (Option<Arc<Entry>>, Option<Arc<Entry>>);

/// Entries as they will be. The journal has them once they are durable.
pub(super) struct Draft<'j> {
    state: &'j Mutex<State>,
    changed: BTreeMap<u64, Changed>,
}

impl<'j> Draft<'j> {
    pub(super) fn new(state: &'j Mutex<State>) -> Self {
        Self { state, changed: BTreeMap::new() }
    }

    fn recorded(&self) -> MutexGuard<'j, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns an entry as it will be.
    pub(super) fn entry(&self, sequence: u64) -> Option<Arc<Entry>> {
        match self.changed.get(&sequence) {
            Some((_, now)) => now.clone(),
            None => self.recorded().entries.get(&sequence).cloned(),
        }
    }

    /// Changes an entry. Returns its number; `None` if the journal does not have it.
    pub(super) fn change(&mut self, sequence: u64, change: impl FnOnce(&mut Entry)) -> Option<u64> {
        let mut entry = Entry::clone(&*self.entry(sequence)?);
        change(&mut entry);
        self.set(sequence, Some(Arc::new(entry)));
        Some(sequence)
    }

    /// Adds an entry with the next number.
    pub(super) fn add(&mut self, make: impl FnOnce(u64) -> Entry) -> Option<u64> {
        let drafted = self.changed.keys().next_back().copied();
        let last = self.recorded().entries.keys().next_back().copied();
        let sequence = last.max(drafted).map_or(1, |last| last + 1);
        self.set(sequence, Some(Arc::new(make(sequence))));
        Some(sequence)
    }

    /// Removes an entry, if the journal has it.
    pub(super) fn remove(&mut self, sequence: u64) {
        if self.entry(sequence).is_some() {
            self.set(sequence, None);
        }
    }

    fn set(&mut self, sequence: u64, now: Option<Arc<Entry>>) {
        let before = self.recorded().entries.get(&sequence).cloned();
        self.changed.entry(sequence).or_insert((before, None)).1 = now;
    }

    pub(super) fn into_changed(self) -> BTreeMap<u64, Changed> {
        self.changed
    }
}
