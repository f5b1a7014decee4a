//! The journal: a durable record of each change of a provider. The provider lists a change until the gateway
//! acknowledges it; from then on the journal is the only record.

mod entry;
mod quarantine;
pub(crate) mod store;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use provider_api::{Change, ChangeHead, ChangeId, ProviderName};

pub(crate) use entry::{Before, Delivery, Entry, OverBase, Phase, Settlement};
pub(crate) use quarantine::{Attempt, Quarantine, TRIES, Target};

use crate::storage::digest::Digest;
use crate::storage::replaced;
use store::Store;

/// The journal of one gateway: one file per change, called a note. Methods that write block until the note is durable.
///
/// A change passes through these phases, and goes back only when it is rolled back:
///
/// | phase | meaning |
/// | --- | --- |
/// | seen | the provider listed the change |
/// | fetched | its document is in the journal |
/// | acknowledged | the provider knows that it was received |
/// | staged | the old content of its files is in the journal; the files are being written |
/// | committed | the files are written |
/// | activating | the application makes the change live |
/// | activated | the change was live |
/// | settled | the change has a verdict |
///
/// The verdict is then delivered to the provider. After a kill, a change that was staged, committed or activating is
/// rolled back and tried again; one that was activated is settled as applied.
pub(crate) struct Journal {
    store: Store,
    /// Locked while a note is written. Separate from `state`, so that a slow disk does not block readers.
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

/// The number of delivered verdicts in the journal, so that a change that is listed again is recognized.
const DELIVERED: usize = 1_000;

impl Journal {
    /// Opens the journal in `directory`, which is created when it is missing. A damaged note is renamed, with an error in
    /// the log.
    ///
    /// # Errors
    /// `WouldBlock` when another gateway uses the journal; else an intact note that cannot be read now, or the error of
    /// the operating system.
    pub(crate) fn open(directory: &Path) -> io::Result<Arc<Self>> {
        let store = Store::open(directory)?;
        let mut state = State::default();
        store.read()?.into_iter().for_each(|entry| state.insert(Arc::new(entry)));
        Ok(Arc::new(Self { store, writing: Mutex::new(()), state: Mutex::new(state) }))
    }

    /// Runs `note`, which writes to the journal, on a thread for blocking work: the threads that serve requests must not
    /// wait for the disk. When the call is dropped, the write still ends.
    ///
    /// # Errors
    /// The error of `note`; nothing was recorded then.
    pub(crate) async fn write<T: Send + 'static>(
        self: &Arc<Self>,
        note: impl FnOnce(&Self) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let journal = Arc::clone(self);
        let written = tokio::task::spawn_blocking(move || note(&journal)).await;
        written.map_err(io::Error::other)?
    }

    /// Returns the entry with that sequence number.
    pub(crate) fn get(&self, sequence: u64) -> Option<Arc<Entry>> {
        self.lock().entries.get(&sequence).cloned()
    }

    /// Returns the entry of a change.
    pub(crate) fn find(&self, provider: &ProviderName, id: &ChangeId) -> Option<Arc<Entry>> {
        let state = self.lock();
        let sequence = state.by_change.get(&(provider.to_string(), id.to_string()))?;
        state.entries.get(sequence).cloned()
    }

    /// Records an attempt to fetch a change; the first attempt creates its entry.
    ///
    /// # Errors
    /// The error of the operating system; nothing was recorded then.
    pub(crate) fn fetching(&self, provider: &ProviderName, head: &ChangeHead) -> io::Result<Arc<Entry>> {
        match self.find(provider, &head.id) {
            Some(known) => self.change(known.sequence, Entry::fetching),
            None => self.add(|sequence| Entry::seen(sequence, provider, head)),
        }
    }

    /// Records that the fetch failed at `now`, in seconds since 1970.
    ///
    /// # Errors
    /// As [`fetching`](Self::fetching).
    pub(crate) fn fetch_failed(&self, sequence: u64, now: u64, error: &str) -> io::Result<()> {
        self.note(sequence, |entry| entry.fetch_failed(now, error))
    }

    /// Records the document of a change.
    ///
    /// # Errors
    /// As [`fetching`](Self::fetching).
    pub(crate) fn fetched(&self, sequence: u64, change: &Change) -> io::Result<Arc<Entry>> {
        self.change(sequence, |entry| entry.fetched(change))
    }

    fn add(&self, make: impl FnOnce(u64) -> Entry) -> io::Result<Arc<Entry>> {
        let _guard = self.lock_for_write();
        let sequence = self.lock().entries.keys().next_back().map_or(1, |last| last + 1);
        let entry = Arc::new(make(sequence));
        self.store.write(&entry)?;
        self.lock().insert(Arc::clone(&entry));
        Ok(entry)
    }

    /// Records that the change is about to be acknowledged: after a kill, the provider may or may not have received that.
    ///
    /// # Errors
    /// As [`fetching`](Self::fetching).
    pub(crate) fn announcing(&self, sequence: u64) -> io::Result<()> {
        self.note(sequence, |entry| entry.announced = true)
    }

    /// Records that the provider knows that the change was received.
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

    /// Records the old content of the files that the change is about to write.
    ///
    /// # Errors
    /// As [`fetching`](Self::fetching); the files must not be written then.
    pub(crate) fn staged(&self, sequence: u64, before: Vec<Before>) -> io::Result<()> {
        self.note(sequence, |entry| {
            entry.tries = entry.tries.saturating_add(1);
            entry.phase = Phase::Staged { before };
        })
    }

    /// Records that the files of the change are written.
    ///
    /// # Errors
    /// As [`fetching`](Self::fetching).
    pub(crate) fn committed(&self, sequence: u64) -> io::Result<()> {
        self.note(sequence, |entry| entry.phase.advance(|before| Phase::Committed { before }))
    }

    /// Records that the application is about to make the change live.
    ///
    /// # Errors
    /// As [`fetching`](Self::fetching).
    pub(crate) fn activating(&self, sequence: u64) -> io::Result<()> {
        self.note(sequence, |entry| entry.phase.advance(|before| Phase::Activating { before }))
    }

    /// Records that the change was live.
    ///
    /// # Errors
    /// As [`fetching`](Self::fetching).
    pub(crate) fn activated(&self, sequence: u64) -> io::Result<()> {
        self.note(sequence, Entry::activated)
    }

    /// Records the files that already had the content that the change would have written.
    ///
    /// # Errors
    /// As [`fetching`](Self::fetching).
    pub(crate) fn found_identical(&self, sequence: u64, files: Vec<Target>) -> io::Result<()> {
        self.note(sequence, |entry| entry.wrote = files)
    }

    /// Records that the files have their old content again.
    ///
    /// # Errors
    /// As [`fetching`](Self::fetching).
    pub(crate) fn rolled_back(&self, sequence: u64) -> io::Result<()> {
        self.note(sequence, Entry::rolled_back)
    }

    /// Records the verdict. A change in quarantine is tried again. Older changes in quarantine that would write one of its
    /// files are released: the newer change supersedes them.
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

    /// Records that a change in quarantine is superseded and not tried again.
    ///
    /// # Errors
    /// As [`fetching`](Self::fetching).
    pub(crate) fn release(&self, sequence: u64) -> io::Result<()> {
        self.note(sequence, Entry::release)
    }

    /// Records the delivery of the verdict `reported`. A newer verdict that was recorded meanwhile stays undelivered.
    ///
    /// # Errors
    /// As [`fetching`](Self::fetching).
    pub(crate) fn delivered(
        &self,
        sequence: u64,
        reported: Option<&Settlement>,
        delivery: Delivery,
    ) -> io::Result<()> {
        self.note(sequence, |entry| {
            if entry.settlement.as_ref() == reported {
                entry.delivery = delivery;
            }
        })?;
        let done: Vec<u64> =
            self.all().iter().filter(|entry| entry.is_done()).map(|entry| entry.sequence).collect();
        for sequence in done.iter().take(done.len().saturating_sub(DELIVERED)) {
            self.forget(*sequence)?;
        }
        Ok(())
    }

    /// Schedules another delivery of the verdict: the provider lists the change again, so it has lost the verdict.
    ///
    /// # Errors
    /// As [`fetching`](Self::fetching).
    pub(crate) fn redeliver(&self, sequence: u64) -> io::Result<()> {
        self.note(sequence, |entry| {
            entry.acknowledged = false;
            entry.delivery = Delivery::Waiting;
        })
    }

    /// Removes a change that the provider withdrew before it was applied.
    ///
    /// # Errors
    /// The error of the operating system.
    pub(crate) fn forget(&self, sequence: u64) -> io::Result<()> {
        let _guard = self.lock_for_write();
        let Some(entry) = self.lock().entries.get(&sequence).cloned() else { return Ok(()) };
        self.store.remove(&entry)?;
        self.lock().remove(&entry);
        Ok(())
    }

    /// Saves a file that was edited by hand and that a change is about to replace; only the owner can read the copy. The
    /// newest 100 copies stay. Returns the path of the copy.
    ///
    /// # Errors
    /// As [`fetching`](Self::fetching); the file must not be replaced then.
    pub(crate) fn save_replaced(&self, sequence: u64, name: &str, edit: &[u8]) -> io::Result<PathBuf> {
        replaced::save(self.store.directory(), sequence, name, edit)
    }

    /// Returns those of the files that were edited by hand: their content is not what the last change wrote.
    pub(crate) fn edited_by_hand<'a>(&self, files: &'a [Before]) -> Vec<&'a Before> {
        let all = self.all();
        let last_written = |name: &str| {
            let mut wrote = all.iter().rev().flat_map(|entry| &entry.wrote);
            wrote.find(|file| file.name == name).and_then(|file| file.digest.as_deref())
        };
        let hex = |text: &str| format!("{:#}", Digest::of(text.as_bytes()));
        let differs = |file: &&Before| {
            file.text.as_ref().is_some_and(|text| last_written(&file.name) != Some(&hex(text)))
        };
        files.iter().filter(differs).collect()
    }

    /// Finds a newer change that is live and has written one of these files. Returns the file and the id of the change.
    pub(crate) fn superseded_by(&self, sequence: u64, files: &[Target]) -> Option<(String, String)> {
        let all = self.all();
        // Two changes may share a transform; that alone does not mean that one supersedes the other.
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

    /// Returns the changes that were fetched and have no verdict, oldest first.
    pub(crate) fn unsettled(&self) -> Vec<Arc<Entry>> {
        let open = |entry: &Arc<Entry>| !matches!(entry.phase, Phase::Settled | Phase::Seen);
        self.all().into_iter().filter(open).collect()
    }

    /// Returns the changes of a provider that were not fetched yet, oldest first.
    pub(crate) fn without_body(&self, provider: &ProviderName) -> Vec<Arc<Entry>> {
        let seen = |entry: &Arc<Entry>| entry.phase == Phase::Seen && entry.provider == provider.as_str();
        self.all().into_iter().filter(seen).collect()
    }

    /// Returns the rejected changes that are tried again, oldest first.
    pub(crate) fn quarantined(&self) -> Vec<Arc<Entry>> {
        let waits = |entry: &Arc<Entry>| entry.phase == Phase::Settled && entry.quarantine.is_some();
        self.all().into_iter().filter(waits).collect()
    }

    /// Returns the verdicts that were not delivered, oldest first.
    pub(crate) fn undelivered(&self) -> Vec<Arc<Entry>> {
        self.all().into_iter().filter(|entry| entry.is_undelivered()).collect()
    }

    /// Returns all entries, oldest first.
    pub(crate) fn all(&self) -> Vec<Arc<Entry>> {
        self.lock().entries.values().cloned().collect()
    }

    fn note(&self, sequence: u64, change: impl FnOnce(&mut Entry)) -> io::Result<()> {
        self.change(sequence, change).map(drop)
    }

    fn change(&self, sequence: u64, change: impl FnOnce(&mut Entry)) -> io::Result<Arc<Entry>> {
        let _guard = self.lock_for_write();
        let known = self.lock().entries.get(&sequence).cloned();
        let known = known.ok_or_else(|| {
            io::Error::new(io::ErrorKind::NotFound, "the journal has no entry for this change")
        })?;
        let mut entry = Entry::clone(&known);
        change(&mut entry);
        let entry = Arc::new(entry);
        self.store.write(&entry)?;
        self.lock().insert(Arc::clone(&entry));
        Ok(entry)
    }

    fn lock_for_write(&self) -> std::sync::MutexGuard<'_, ()> {
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
