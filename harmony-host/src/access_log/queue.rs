//! The queue of entries: bounded, so that a log that cannot be written neither holds requests nor fills the memory.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::access_log::entry::Entry;

/// The most memory of the entries that wait, in bytes.
const LIMIT: usize = 16 * 1024 * 1024;

/// The time in which entries gather before the thread is woken for them: one wake for many requests.
const GATHERING: Duration = Duration::from_millis(5);

/// The entries that wait for the thread.
#[derive(Debug, Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    /// Signals an entry, or a wish, for the thread.
    filled: Condvar,
    /// Signals that everything is written.
    written: Condvar,
    /// Entries that were dropped, since the queue was full.
    pub(super) dropped: AtomicU64,
}

#[derive(Debug, Default)]
#[expect(clippy::vec_box, reason = "the entries come in boxes, and move through the queue as pointers")]
struct State {
    entries: Vec<Box<Entry>>,
    size: usize,
    /// Set while the thread waits.
    is_waiting: bool,
    /// Set while the thread writes what it has taken.
    is_writing: bool,
    must_reopen: bool,
    is_finishing: bool,
}

/// The work that waits for the thread.
#[derive(Debug, Default)]
#[expect(clippy::vec_box, reason = "the entries come in boxes")]
pub(super) struct Work {
    pub(super) entries: Vec<Box<Entry>>,
    pub(super) must_reopen: bool,
}

impl Queue {
    /// Adds an entry, or drops and counts it if there is no room. Neither waits nor fails.
    pub(super) fn add(&self, entry: Box<Entry>) {
        let mut state = self.lock();
        let size = entry.size();
        if state.size + size > LIMIT {
            drop(state);
            self.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        state.size += size;
        state.entries.push(entry);
        if std::mem::take(&mut state.is_waiting) {
            drop(state);
            self.filled.notify_one();
        }
    }

    /// Tells the thread to open its file again.
    pub(super) fn reopen(&self) {
        self.lock().must_reopen = true;
        self.filled.notify_one();
    }

    /// Waits until all entries are written, at most for `limit`. Blocks the thread. Later entries are written without delay.
    pub(super) fn finish(&self, limit: Duration) {
        let mut state = self.lock();
        state.is_finishing = true;
        self.filled.notify_one();
        let is_busy = |state: &mut State| state.is_writing || !state.entries.is_empty() || state.must_reopen;
        drop(self.written.wait_timeout_while(state, limit, is_busy));
    }

    /// Takes all entries. Waits for some.
    pub(super) fn next(&self) -> Work {
        let mut state = self.lock();
        state.is_writing = false;
        while state.entries.is_empty() && !state.must_reopen {
            self.written.notify_all();
            state.is_waiting = true;
            state = self.filled.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if !state.is_finishing && !state.must_reopen {
            let is_idle = |state: &mut State| !state.is_finishing && !state.must_reopen;
            let gathered = self.filled.wait_timeout_while(state, GATHERING, is_idle);
            state = gathered.unwrap_or_else(PoisonError::into_inner).0;
        }
        state.is_waiting = false;
        state.is_writing = true;
        state.size = 0;
        Work {
            entries: std::mem::take(&mut state.entries),
            must_reopen: std::mem::take(&mut state.must_reopen),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
