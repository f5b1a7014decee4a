//! What happened to each change of a provider, durable: a change that was acknowledged leaves the provider's
//! list, so from then on it is remembered here or nowhere.

mod entry;
mod store;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use provider_api::{Change, ChangeHead, ChangeId, ProviderName, Rejection};

pub(crate) use entry::{Before, Delivery, Entry, Phase, Settlement};

use crate::edits::Edits;
use store::Store;

/// The journal of one gateway. Every method blocks until what it notes is durable.
///
/// A change goes through these phases, and only forward:
/// *received* (it is here, whole) -> *acknowledged* (the provider knows that) -> *committing* (its files are
/// being written; what was there before is kept) -> *settled* (there is a verdict) -> delivered (the provider
/// knows the verdict).
pub(crate) struct Journal {
    store: Store,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    entries: BTreeMap<u64, Arc<Entry>>,
}

/// How many delivered verdicts are remembered, so that a change that is listed once more is known.
const REMEMBERED: usize = 1_000;

impl Journal {
    /// Opens the journal in `directory`, which is made when it is missing. A note that cannot be read is put
    /// aside, with an error in the log.
    ///
    /// # Errors
    /// What the operating system says.
    pub(crate) fn open(directory: &Path) -> io::Result<Arc<Self>> {
        let store = Store::open(directory)?;
        let entries = store.read()?.into_iter().map(|entry| (entry.sequence, Arc::new(entry))).collect();
        Ok(Arc::new(Self { store, state: Mutex::new(State { entries }) }))
    }

    /// What is known of a change.
    pub(crate) fn find(&self, provider: &ProviderName, id: &ChangeId) -> Option<Arc<Entry>> {
        self.all().into_iter().rev().find(|entry| entry.is(provider, id))
    }

    /// Notes a change that is here whole.
    ///
    /// # Errors
    /// What the operating system says; it is then not noted.
    pub(crate) fn receive(&self, provider: &ProviderName, change: &Change) -> io::Result<Arc<Entry>> {
        self.add(|sequence| Entry::received(sequence, provider, change))
    }

    /// Notes a change that could not be brought here and never will be.
    ///
    /// # Errors
    /// As [`receive`](Self::receive).
    pub(crate) fn refuse(
        &self,
        provider: &ProviderName,
        head: &ChangeHead,
        rejection: Rejection,
    ) -> io::Result<Arc<Entry>> {
        self.add(|sequence| Entry::refused(sequence, provider, head, rejection))
    }

    fn add(&self, make: impl FnOnce(u64) -> Entry) -> io::Result<Arc<Entry>> {
        let mut state = self.lock();
        let sequence = state.entries.keys().next_back().map_or(1, |last| last + 1);
        let entry = Arc::new(make(sequence));
        self.store.write(&entry)?;
        state.entries.insert(sequence, Arc::clone(&entry));
        Ok(entry)
    }

    /// Notes that the provider knows that the change is here.
    ///
    /// # Errors
    /// As [`receive`](Self::receive).
    pub(crate) fn acknowledged(&self, sequence: u64) -> io::Result<()> {
        self.change(sequence, |entry| {
            entry.acknowledged = true;
            if entry.phase == Phase::Received {
                entry.phase = Phase::Acknowledged;
            }
        })
    }

    /// Notes what the files were before the change, which is about to write them.
    ///
    /// # Errors
    /// As [`receive`](Self::receive); nothing may be written then.
    pub(crate) fn commit(&self, sequence: u64, edits: &Edits, before: Vec<Before>) -> io::Result<()> {
        debug_assert_eq!(edits.iter().count(), before.len());
        self.change(sequence, |entry| entry.phase = Phase::Committing { before })
    }

    /// Notes that nothing of the change is written any more.
    ///
    /// # Errors
    /// As [`receive`](Self::receive).
    pub(crate) fn taken_back(&self, sequence: u64) -> io::Result<()> {
        self.change(sequence, |entry| {
            entry.phase = if entry.acknowledged { Phase::Acknowledged } else { Phase::Received };
        })
    }

    /// Notes the verdict.
    ///
    /// # Errors
    /// As [`receive`](Self::receive).
    pub(crate) fn settle(&self, sequence: u64, settlement: Settlement) -> io::Result<()> {
        self.change(sequence, |entry| entry.settle(settlement))
    }

    /// Notes what came of telling the provider the verdict.
    ///
    /// # Errors
    /// As [`receive`](Self::receive).
    pub(crate) fn delivered(&self, sequence: u64, delivery: Delivery) -> io::Result<()> {
        self.change(sequence, |entry| entry.delivery = delivery)?;
        let done: Vec<u64> =
            self.all().iter().filter(|entry| entry.is_done()).map(|entry| entry.sequence).collect();
        for sequence in done.iter().take(done.len().saturating_sub(REMEMBERED)) {
            self.forget(*sequence)?;
        }
        Ok(())
    }

    /// Lets the provider be told the verdict again: it lists the change as if it had not been.
    ///
    /// # Errors
    /// As [`receive`](Self::receive).
    pub(crate) fn deliver_again(&self, sequence: u64) -> io::Result<()> {
        self.change(sequence, |entry| {
            entry.acknowledged = false;
            entry.delivery = Delivery::Waiting;
        })
    }

    /// Forgets a change that the provider took back before it was applied.
    ///
    /// # Errors
    /// What the operating system says.
    pub(crate) fn forget(&self, sequence: u64) -> io::Result<()> {
        let mut state = self.lock();
        let Some(entry) = state.entries.get(&sequence) else { return Ok(()) };
        self.store.remove(entry)?;
        state.entries.remove(&sequence);
        Ok(())
    }

    /// The changes without a verdict, oldest first.
    pub(crate) fn unsettled(&self) -> Vec<Arc<Entry>> {
        self.all().into_iter().filter(|entry| !matches!(entry.phase, Phase::Settled(_))).collect()
    }

    /// The verdicts that the provider does not know, oldest first.
    pub(crate) fn undelivered(&self) -> Vec<Arc<Entry>> {
        self.all().into_iter().filter(|entry| entry.is_undelivered()).collect()
    }

    /// Everything that is noted, oldest first.
    pub(crate) fn all(&self) -> Vec<Arc<Entry>> {
        self.lock().entries.values().cloned().collect()
    }

    fn change(&self, sequence: u64, change: impl FnOnce(&mut Entry)) -> io::Result<()> {
        let mut state = self.lock();
        let known = state.entries.get(&sequence);
        let known =
            known.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "the journal does not know it"))?;
        let mut entry = Entry::clone(known);
        change(&mut entry);
        self.store.write(&entry)?;
        state.entries.insert(sequence, Arc::new(entry));
        Ok(())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Journal").field("entries", &self.lock().entries.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
