//! What happened to each change of a provider, durable: a change that was acknowledged leaves the provider's
//! list, so from then on it is remembered here or nowhere.

mod entry;
mod quarantine;
mod replaced;
pub(crate) mod store;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use provider_api::{Change, ChangeHead, ChangeId, ProviderName};

pub(crate) use entry::{Before, Delivery, Entry, Phase, Settlement};
pub(crate) use quarantine::{Attempt, Quarantine, TRIES, Target};

use crate::storage::digest::Digest;
use store::Store;

/// The journal of one gateway. Every method blocks until what it notes is durable.
///
/// A change goes through these phases, and only forward, but for being taken back:
/// *seen* (the provider listed it) -> *fetched* (it is here, whole) -> *acknowledged* (the provider knows that) ->
/// *staged* (what its files were is kept; they are being written) -> *committed* (they are written) -> *activating*
/// (the application makes it live) -> *activated* (it was seen live) -> *settled* (there is a verdict) -> delivered
/// (the provider knows the verdict).
///
/// After a kill, what was staged, committed or activating is taken back and tried again; what was activated is applied.
pub(crate) struct Journal {
    store: Store,
    /// Held while something is written, which may take long; never while something is looked up.
    writing: Mutex<()>,
    state: Mutex<State>,
}

/// The entries, and their sequence numbers by provider and change.
#[derive(Default)]
struct State {
    entries: BTreeMap<u64, Arc<Entry>>,
    by_change: HashMap<(String, String), u64>,
}

impl State {
    fn insert(&mut self, entry: Arc<Entry>) {
        self.by_change.insert((entry.provider.clone(), entry.id.clone()), entry.sequence);
        self.entries.insert(entry.sequence, entry);
    }

    fn remove(&mut self, entry: &Entry) {
        self.entries.remove(&entry.sequence);
        let key = (entry.provider.clone(), entry.id.clone());
        if self.by_change.get(&key) == Some(&entry.sequence) {
            self.by_change.remove(&key);
        }
    }
}

/// How many delivered verdicts are remembered, so that a change that is listed once more is known.
const REMEMBERED: usize = 1_000;

impl Journal {
    /// Opens the journal in `directory`, which is made when it is missing. A note that is damaged is put
    /// aside, with an error in the log.
    ///
    /// # Errors
    /// `WouldBlock` when another gateway works with it; else a note that is there and cannot be read now, or what the
    /// operating system says.
    pub(crate) fn open(directory: &Path) -> io::Result<Arc<Self>> {
        let store = Store::open(directory)?;
        let mut state = State::default();
        store.read()?.into_iter().for_each(|entry| state.insert(Arc::new(entry)));
        Ok(Arc::new(Self { store, writing: Mutex::new(()), state: Mutex::new(state) }))
    }

    /// Writes from a task: off the threads that serve requests, and until it is durable.
    ///
    /// # Errors
    /// The error of `note`; it is then not noted.
    pub(crate) async fn write<T: Send + 'static>(
        self: &Arc<Self>,
        note: impl FnOnce(&Self) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let journal = Arc::clone(self);
        let written = tokio::task::spawn_blocking(move || note(&journal)).await;
        written.map_err(io::Error::other)?
    }

    /// What is known of the change with that number.
    pub(crate) fn get(&self, sequence: u64) -> Option<Arc<Entry>> {
        self.lock().entries.get(&sequence).cloned()
    }

    /// What is known of a change.
    pub(crate) fn find(&self, provider: &ProviderName, id: &ChangeId) -> Option<Arc<Entry>> {
        let state = self.lock();
        let sequence = state.by_change.get(&(provider.to_string(), id.to_string()))?;
        state.entries.get(sequence).cloned()
    }

    /// Notes that the body of a change is about to be asked for, and for the first time that there is one.
    ///
    /// # Errors
    /// What the operating system says; it is then not noted.
    pub(crate) fn fetching(&self, provider: &ProviderName, head: &ChangeHead) -> io::Result<Arc<Entry>> {
        match self.find(provider, &head.id) {
            Some(known) => self.change(known.sequence, Entry::fetching),
            None => self.add(|sequence| Entry::seen(sequence, provider, head)),
        }
    }

    /// Notes that the body could not be had at `now`, in seconds since 1970.
    ///
    /// # Errors
    /// As [`fetching`](Self::fetching).
    pub(crate) fn missed(&self, sequence: u64, now: u64) -> io::Result<()> {
        self.note(sequence, |entry| entry.missed(now))
    }

    /// Notes a change that is here whole.
    ///
    /// # Errors
    /// As [`fetching`](Self::fetching).
    pub(crate) fn fetched(&self, sequence: u64, change: &Change) -> io::Result<Arc<Entry>> {
        self.change(sequence, |entry| entry.fetched(change))
    }

    fn add(&self, make: impl FnOnce(u64) -> Entry) -> io::Result<Arc<Entry>> {
        let _alone = self.alone();
        let sequence = self.lock().entries.keys().next_back().map_or(1, |last| last + 1);
        let entry = Arc::new(make(sequence));
        self.store.write(&entry)?;
        self.lock().insert(Arc::clone(&entry));
        Ok(entry)
    }

    /// Notes that the provider is about to be told that the change is here.
    ///
    /// # Errors
    /// As [`fetching`](Self::fetching).
    pub(crate) fn announcing(&self, sequence: u64) -> io::Result<()> {
        self.note(sequence, |entry| entry.announced = true)
    }

    /// Notes that the provider knows that the change is here.
    ///
    /// # Errors
    /// As [`fetching`](Self::fetching).
    pub(crate) fn acknowledged(&self, sequence: u64) -> io::Result<()> {
        self.note(sequence, |entry| {
            entry.acknowledged = true;
            if entry.phase == Phase::Fetched {
                entry.phase = Phase::Acknowledged;
            }
        })
    }

    /// Notes what the files were before the change, which is about to write them.
    ///
    /// # Errors
    /// As [`fetching`](Self::fetching); nothing may be written then.
    pub(crate) fn staged(&self, sequence: u64, before: Vec<Before>) -> io::Result<()> {
        self.note(sequence, |entry| {
            entry.tries = entry.tries.saturating_add(1);
            entry.phase = Phase::Staged { before };
        })
    }

    /// Notes that its files are written.
    ///
    /// # Errors
    /// As [`fetching`](Self::fetching).
    pub(crate) fn committed(&self, sequence: u64) -> io::Result<()> {
        self.note(sequence, |entry| entry.phase.onward(|before| Phase::Committed { before }))
    }

    /// Notes that the application is about to make it live.
    ///
    /// # Errors
    /// As [`fetching`](Self::fetching).
    pub(crate) fn activating(&self, sequence: u64) -> io::Result<()> {
        self.note(sequence, |entry| entry.phase.onward(|before| Phase::Activating { before }))
    }

    /// Notes that it was seen live.
    ///
    /// # Errors
    /// As [`fetching`](Self::fetching).
    pub(crate) fn activated(&self, sequence: u64) -> io::Result<()> {
        self.note(sequence, Entry::activated)
    }

    /// Notes that the files of a change are what it would have written.
    ///
    /// # Errors
    /// As [`fetching`](Self::fetching).
    pub(crate) fn says_the_same(&self, sequence: u64, files: Vec<Target>) -> io::Result<()> {
        self.note(sequence, |entry| entry.wrote = files)
    }

    /// Notes that nothing of the change is written any more.
    ///
    /// # Errors
    /// As [`fetching`](Self::fetching).
    pub(crate) fn taken_back(&self, sequence: u64) -> io::Result<()> {
        self.note(sequence, Entry::taken_back)
    }

    /// Notes the verdict, and that the change may be tried again when it goes into quarantine. Older changes in
    /// quarantine that would write the same files are given up: the newer is what is wanted.
    ///
    /// # Errors
    /// As [`fetching`](Self::fetching).
    pub(crate) fn settle(
        &self,
        sequence: u64,
        settlement: Settlement,
        quarantine: Option<Quarantine>,
    ) -> io::Result<()> {
        if let Some(newer) = &quarantine {
            for older in self.quarantined().iter().filter(|older| older.sequence < sequence) {
                if older.quarantine.as_ref().is_some_and(|older| older.overlaps(newer)) {
                    self.release(older.sequence)?;
                }
            }
        }
        self.note(sequence, |entry| entry.settle(settlement, quarantine))
    }

    /// Notes that a change in quarantine is not tried again.
    ///
    /// # Errors
    /// As [`fetching`](Self::fetching).
    pub(crate) fn release(&self, sequence: u64) -> io::Result<()> {
        self.note(sequence, Entry::release)
    }

    /// Notes what came of telling the provider the verdict `told`; another one that came meanwhile is still to be told.
    ///
    /// # Errors
    /// As [`fetching`](Self::fetching).
    pub(crate) fn delivered(
        &self,
        sequence: u64,
        told: Option<&Settlement>,
        delivery: Delivery,
    ) -> io::Result<()> {
        self.note(sequence, |entry| {
            if entry.settlement.as_ref() == told {
                entry.delivery = delivery;
            }
        })?;
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
    /// As [`fetching`](Self::fetching).
    pub(crate) fn deliver_again(&self, sequence: u64) -> io::Result<()> {
        self.note(sequence, |entry| {
            entry.acknowledged = false;
            entry.delivery = Delivery::Waiting;
        })
    }

    /// Forgets a change that the provider took back before it was applied.
    ///
    /// # Errors
    /// What the operating system says.
    pub(crate) fn forget(&self, sequence: u64) -> io::Result<()> {
        let _alone = self.alone();
        let Some(entry) = self.lock().entries.get(&sequence).cloned() else { return Ok(()) };
        self.store.remove(&entry)?;
        self.lock().remove(&entry);
        Ok(())
    }

    /// Keeps what was written by hand in a file that a change is about to replace, readable for its owner only. The
    /// newest hundred are kept. Gives where.
    ///
    /// # Errors
    /// As [`fetching`](Self::fetching); the file must not be replaced then.
    pub(crate) fn keep_replaced(&self, sequence: u64, file: &Before) -> io::Result<PathBuf> {
        replaced::keep(self.store.directory(), sequence, &file.name, file.text.as_deref().unwrap_or_default())
    }

    /// The files of those that are not as a change left them: what is in them was written by hand.
    pub(crate) fn by_hand<'a>(&self, files: &'a [Before]) -> Vec<&'a Before> {
        let all = self.all();
        let left = |name: &str| {
            let mut wrote = all.iter().rev().flat_map(|entry| &entry.wrote);
            wrote.find(|file| file.name == name).and_then(|file| file.held.as_deref())
        };
        let hex = |text: &str| format!("{:#}", Digest::of(text.as_bytes()));
        let differs =
            |file: &&Before| file.text.as_ref().is_some_and(|text| left(&file.name) != Some(&hex(text)));
        files.iter().filter(differs).collect()
    }

    /// A change that came after the one of that number and has written one of these files already: the file and
    /// the change's id.
    pub(crate) fn newer(&self, sequence: u64, files: &[Target]) -> Option<(String, String)> {
        let all = self.all();
        // A transform that both need says nothing about which of them is wanted.
        let transforms_only = files.iter().all(|file| file.name.ends_with(".json"));
        let counts = |name: &str| transforms_only || !name.ends_with(".json");
        let mut wrote = all
            .iter()
            .filter(|entry| entry.sequence > sequence && entry.is_live())
            .flat_map(|entry| entry.wrote.iter().map(|file| (file.name.as_str(), entry.id.as_str())));
        let (name, id) =
            wrote.find(|(name, _)| counts(name) && files.iter().any(|file| file.name == *name))?;
        Some((name.to_owned(), id.to_owned()))
    }

    /// The changes that are here and have no verdict, oldest first.
    pub(crate) fn unsettled(&self) -> Vec<Arc<Entry>> {
        let open = |entry: &Arc<Entry>| !matches!(entry.phase, Phase::Settled | Phase::Seen);
        self.all().into_iter().filter(open).collect()
    }

    /// The changes of a provider whose bodies are not here, oldest first.
    pub(crate) fn without_body(&self, provider: &ProviderName) -> Vec<Arc<Entry>> {
        let seen = |entry: &Arc<Entry>| entry.phase == Phase::Seen && entry.provider == provider.as_str();
        self.all().into_iter().filter(seen).collect()
    }

    /// The changes that were rejected and may be tried again, oldest first.
    pub(crate) fn quarantined(&self) -> Vec<Arc<Entry>> {
        let held = |entry: &Arc<Entry>| entry.phase == Phase::Settled && entry.quarantine.is_some();
        self.all().into_iter().filter(held).collect()
    }

    /// The verdicts that the provider does not know, oldest first.
    pub(crate) fn undelivered(&self) -> Vec<Arc<Entry>> {
        self.all().into_iter().filter(|entry| entry.is_undelivered()).collect()
    }

    /// Everything that is noted, oldest first.
    pub(crate) fn all(&self) -> Vec<Arc<Entry>> {
        self.lock().entries.values().cloned().collect()
    }

    fn note(&self, sequence: u64, change: impl FnOnce(&mut Entry)) -> io::Result<()> {
        self.change(sequence, change).map(drop)
    }

    fn change(&self, sequence: u64, change: impl FnOnce(&mut Entry)) -> io::Result<Arc<Entry>> {
        let _alone = self.alone();
        let known = self.lock().entries.get(&sequence).cloned();
        let known =
            known.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "the journal does not know it"))?;
        let mut entry = Entry::clone(&known);
        change(&mut entry);
        let entry = Arc::new(entry);
        self.store.write(&entry)?;
        self.lock().insert(Arc::clone(&entry));
        Ok(entry)
    }

    fn alone(&self) -> std::sync::MutexGuard<'_, ()> {
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
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
