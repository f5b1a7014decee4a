//! The journal: a durable record of each change of a provider. The provider lists a change until the gateway
//! acknowledges it; from then on the journal is the only record.

mod draft;
mod entry;
pub(crate) mod log;
mod notes;
mod quarantine;
mod queries;
mod state;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use provider_api::{Change, ChangeHead, ChangeId};

pub(crate) use entry::{Before, Delivery, Entry, OverBase, Phase, Settlement};
pub(crate) use quarantine::{Attempt, Quarantine, TRIES, Target};

use crate::providers::SourceId;
use crate::storage::replaced;
use draft::Draft;
use log::{Log, Record};
use state::State;

/// The journal of one gateway. Methods that write block until everything they record is durable: each takes many changes, and
/// costs one durable write.
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
    directory: PathBuf,
    /// Locked while records are written. Separate from `state`, so that a slow disk does not block readers.
    log: Mutex<Log>,
    state: Mutex<State>,
    /// The size of the log, in bytes.
    bytes: AtomicU64,
}

/// A verdict to record.
#[derive(Clone, Debug)]
pub(crate) struct Verdict {
    pub(crate) sequence: u64,
    pub(crate) settlement: Settlement,
    /// Set if the rejected change is tried again.
    pub(crate) quarantine: Option<Quarantine>,
}

/// A verdict that a provider got, or refused.
#[derive(Clone, Debug)]
pub(crate) struct Delivered {
    pub(crate) sequence: u64,
    pub(crate) reported: Option<Settlement>,
    pub(crate) delivery: Delivery,
}

/// The number of delivered verdicts in the journal, so that a change that is listed again is recognized.
const DELIVERED: usize = 1_000;

impl Journal {
    /// Opens the journal in `directory`, which is created when it is missing. A damaged record is left out, with an error in
    /// the log.
    ///
    /// # Errors
    /// `WouldBlock` when another gateway uses the journal; else an intact journal that cannot be read now, or the error of
    /// the operating system.
    pub(crate) fn open(directory: &Path) -> io::Result<Arc<Self>> {
        let (log, entries) = Log::open(directory)?;
        let mut state = State::default();
        entries.into_values().for_each(|entry| state.insert(Arc::new(entry)));
        let directory = log.directory().to_owned();
        let bytes = AtomicU64::new(log.length());
        Ok(Arc::new(Self { directory, log: Mutex::new(log), state: Mutex::new(state), bytes }))
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
    pub(crate) fn find(&self, source: &SourceId, id: &ChangeId) -> Option<Arc<Entry>> {
        let state = self.lock();
        let key = (source.provider.to_string(), Some(source.store.to_string()), id.to_string());
        state.entries.get(state.by_change.get(&key)?).cloned()
    }

    /// Takes the changes of an earlier version of this gateway, which did not note their source, for changes of `source`:
    /// it is the one that is followed when the new version starts.
    ///
    /// # Errors
    /// As [`fetching`](Self::fetching).
    pub(crate) fn adopt(&self, source: &SourceId) -> io::Result<()> {
        let is_unknown =
            |entry: &Arc<Entry>| entry.store.is_none() && entry.provider == source.provider.as_str();
        let unknown: Vec<u64> =
            self.all().into_iter().filter(is_unknown).map(|entry| entry.sequence).collect();
        self.change(&unknown, |entry| entry.store = Some(source.store.to_string()))
    }

    /// Records attempts to fetch changes; the first attempt creates the entry. Returns the entries, in that order.
    ///
    /// # Errors
    /// The error of the operating system; nothing was recorded then.
    pub(crate) fn fetching(&self, source: &SourceId, heads: &[ChangeHead]) -> io::Result<Vec<Arc<Entry>>> {
        let sequences = self.commit(|draft| {
            let mut sequences = Vec::new();
            for head in heads {
                sequences.push(match self.find(source, &head.id) {
                    Some(known) => draft.change(known.sequence, Entry::fetching),
                    None => draft.add(|sequence| Entry::seen(sequence, source, head)),
                });
            }
            sequences
        })?;
        Ok(self.entries(sequences.into_iter().flatten()))
    }

    /// Records that attempts to fetch were not made.
    ///
    /// # Errors
    /// As [`fetching`](Self::fetching).
    pub(crate) fn not_fetched(&self, sequences: &[u64]) -> io::Result<()> {
        self.change(sequences, Entry::not_fetched)
    }

    /// Records that fetches failed at `now`, in seconds since 1970, each with the error.
    ///
    /// # Errors
    /// As [`fetching`](Self::fetching).
    pub(crate) fn fetch_failed(&self, failed: &[(u64, String)], now: u64) -> io::Result<()> {
        self.commit(|draft| {
            for (sequence, error) in failed {
                draft.change(*sequence, |entry| entry.fetch_failed(now, error));
            }
        })
    }

    /// Records the documents of changes.
    ///
    /// # Errors
    /// As [`fetching`](Self::fetching).
    pub(crate) fn fetched(&self, fetched: &[(u64, Change)]) -> io::Result<Vec<Arc<Entry>>> {
        self.commit(|draft| {
            for (sequence, change) in fetched {
                draft.change(*sequence, |entry| entry.fetched(change));
            }
        })?;
        Ok(self.entries(fetched.iter().map(|(sequence, _)| *sequence)))
    }

    /// Records that changes are about to be acknowledged: after a kill, the provider may or may not have received that.
    ///
    /// # Errors
    /// As [`fetching`](Self::fetching).
    pub(crate) fn announcing(&self, sequences: &[u64]) -> io::Result<()> {
        self.change(sequences, |entry| entry.announced = true)
    }

    /// Records that the provider knows that the changes were received.
    ///
    /// # Errors
    /// As [`fetching`](Self::fetching).
    pub(crate) fn acknowledged(&self, sequences: &[u64]) -> io::Result<()> {
        self.change(sequences, |entry| {
            entry.acknowledged = true;
            if entry.phase == Phase::Fetched {
                entry.phase = Phase::Acknowledged;
            }
        })
    }

    /// Records the old content of the files that each change is about to write.
    ///
    /// # Errors
    /// As [`fetching`](Self::fetching); the files must not be written then.
    pub(crate) fn staged(&self, staged: &[(u64, Vec<Before>)]) -> io::Result<()> {
        self.commit(|draft| {
            for (sequence, before) in staged {
                draft.change(*sequence, |entry| {
                    entry.tries = entry.tries.saturating_add(1);
                    entry.phase = Phase::Staged { before: before.clone() };
                });
            }
        })
    }

    /// Records that the files of the changes are written.
    ///
    /// # Errors
    /// As [`fetching`](Self::fetching).
    pub(crate) fn committed(&self, sequences: &[u64]) -> io::Result<()> {
        self.change(sequences, |entry| entry.phase.advance(|before| Phase::Committed { before }))
    }

    /// Records that the application is about to make the changes live.
    ///
    /// # Errors
    /// As [`fetching`](Self::fetching).
    pub(crate) fn activating(&self, sequences: &[u64]) -> io::Result<()> {
        self.change(sequences, |entry| entry.phase.advance(|before| Phase::Activating { before }))
    }

    /// Records that the changes were live.
    ///
    /// # Errors
    /// As [`fetching`](Self::fetching).
    pub(crate) fn activated(&self, sequences: &[u64]) -> io::Result<()> {
        self.change(sequences, Entry::activated)
    }

    /// Records the files that already had the content that each change would have written.
    ///
    /// # Errors
    /// As [`fetching`](Self::fetching).
    pub(crate) fn found_identical(&self, found: &[(u64, Vec<Target>)]) -> io::Result<()> {
        self.commit(|draft| {
            for (sequence, files) in found {
                draft.change(*sequence, |entry| entry.wrote.clone_from(files));
            }
        })
    }

    /// Records, after a kill, that the files have their old content again.
    ///
    /// # Errors
    /// As [`fetching`](Self::fetching).
    pub(crate) fn rolled_back(&self, sequences: &[u64]) -> io::Result<()> {
        self.change(sequences, Entry::rolled_back)
    }

    /// Records that an attempt ended in order, and the files have their old content again.
    ///
    /// # Errors
    /// As [`fetching`](Self::fetching).
    pub(crate) fn restored(&self, sequences: &[u64]) -> io::Result<()> {
        self.change(sequences, Entry::restored)
    }

    /// Records verdicts. A change in quarantine is tried again. Older changes in quarantine that would write one of its
    /// files are released: the newer change supersedes them.
    ///
    /// # Errors
    /// As [`fetching`](Self::fetching).
    pub(crate) fn settle(&self, verdicts: Vec<Verdict>) -> io::Result<()> {
        self.commit(|draft| {
            for Verdict { sequence, settlement, quarantine } in verdicts {
                if let Some(newer) = &quarantine {
                    for older in self.quarantined().iter().filter(|older| older.sequence < sequence) {
                        let older = draft.entry(older.sequence);
                        let older = older.filter(|older| {
                            older.quarantine.as_ref().is_some_and(|quarantine| quarantine.overlaps(newer))
                        });
                        if let Some(older) = older {
                            draft.change(older.sequence, Entry::release);
                        }
                    }
                }
                draft.change(sequence, |entry| entry.settle(settlement, quarantine));
            }
        })
    }

    /// Records that changes in quarantine are superseded and not tried again.
    ///
    /// # Errors
    /// As [`fetching`](Self::fetching).
    pub(crate) fn release(&self, sequences: &[u64]) -> io::Result<()> {
        self.change(sequences, Entry::release)
    }

    /// Records the delivery of verdicts. A newer verdict that was recorded meanwhile stays undelivered.
    ///
    /// # Errors
    /// As [`fetching`](Self::fetching).
    pub(crate) fn delivered(&self, delivered: Vec<Delivered>) -> io::Result<()> {
        self.commit(|draft| {
            for Delivered { sequence, reported, delivery } in delivered {
                draft.change(sequence, |entry| {
                    if entry.settlement == reported {
                        entry.delivery = delivery;
                    }
                });
            }
            let done = |entry: &Arc<Entry>| draft.entry(entry.sequence).is_some_and(|entry| entry.is_done());
            let done: Vec<u64> =
                self.all().iter().filter(|entry| done(entry)).map(|entry| entry.sequence).collect();
            for sequence in done.iter().take(done.len().saturating_sub(DELIVERED)) {
                draft.remove(*sequence);
            }
        })
    }

    /// Schedules another delivery of verdicts: the provider lists the changes again, so it has lost them.
    ///
    /// # Errors
    /// As [`fetching`](Self::fetching).
    pub(crate) fn redeliver(&self, sequences: &[u64]) -> io::Result<()> {
        self.change(sequences, |entry| {
            entry.acknowledged = false;
            entry.delivery = Delivery::Waiting;
        })
    }

    /// Removes changes that the provider withdrew before they were applied.
    ///
    /// # Errors
    /// The error of the operating system.
    pub(crate) fn forget(&self, sequences: &[u64]) -> io::Result<()> {
        self.commit(|draft| sequences.iter().for_each(|sequence| draft.remove(*sequence)))
    }

    /// Saves a file that was edited by hand and that a change is about to replace; only the owner can read the copy. The
    /// newest 100 copies stay. Returns the path of the copy.
    ///
    /// # Errors
    /// As [`fetching`](Self::fetching); the file must not be replaced then.
    pub(crate) fn save_replaced(&self, sequence: u64, name: &str, edit: &[u8]) -> io::Result<PathBuf> {
        replaced::save(&self.directory, sequence, name, edit)
    }

    /// Returns all entries, oldest first.
    pub(crate) fn all(&self) -> Vec<Arc<Entry>> {
        self.lock().entries.values().cloned().collect()
    }

    fn entries(&self, sequences: impl Iterator<Item = u64>) -> Vec<Arc<Entry>> {
        let state = self.lock();
        sequences.filter_map(|sequence| state.entries.get(&sequence).cloned()).collect()
    }

    /// Changes entries; those that the journal does not have are left out.
    fn change(&self, sequences: &[u64], mut change: impl FnMut(&mut Entry)) -> io::Result<()> {
        self.commit(|draft| {
            for sequence in sequences {
                draft.change(*sequence, &mut change);
            }
        })
    }

    /// Records everything that `make` drafts, with one durable write.
    fn commit<T>(&self, make: impl FnOnce(&mut Draft<'_>) -> T) -> io::Result<T> {
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        let mut draft = Draft::new(&self.state);
        let made = make(&mut draft);
        let changed = draft.into_changed();
        let records: Vec<Record<'_>> = changed
            .iter()
            .map(|(sequence, (before, now))| match now {
                Some(now) => Record::Put(now, before.as_deref()),
                None => Record::Remove(*sequence),
            })
            .collect();
        log.append(&records)?;
        let mut state = self.lock();
        for (before, now) in changed.into_values() {
            if let Some(before) = before {
                state.remove(&before);
            }
            if let Some(now) = now {
                state.insert(now);
            }
        }
        if log.is_long() {
            let live: Vec<Arc<Entry>> = state.entries.values().cloned().collect();
            drop(state);
            // The log goes on as it is if that fails.
            if let Err(error) = log.compact(live.iter().map(|entry| &**entry)) {
                tracing::warn!(%error, "the journal cannot be compacted");
            }
        }
        self.bytes.store(log.length(), Ordering::Relaxed);
        Ok(made)
    }

    /// Returns the size of the log in bytes. Does not wait for a write.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
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
