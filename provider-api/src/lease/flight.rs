//! The flight: the one fetch of a lease that runs, in a task of its own.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::Error;
use crate::lease::entry::Entry;
use crate::lease::per_thread::{PerThread, Shared};

/// The result of a flight: the new entry, or the error that all its callers share.
pub(super) type Outcome<V> = Result<Arc<PerThread<Shared<Entry<V>>>>, Arc<Error>>;

/// The place of a lease for its one flight.
pub(super) struct FlightSlot<V> {
    state: Mutex<State<V>>,
    /// True while a flight runs. A call that finds a refresh due need not take the lock then.
    busy: AtomicBool,
}

/// The flight that runs, and the result of the one before it.
pub(super) struct State<V> {
    flight: Option<Waiter<V>>,
    /// The error of the last flight, if that failed.
    pub(super) failure: Option<Arc<Error>>,
}

/// A flight, for the task that runs it. Dropping it ends the flight without a result.
pub(super) struct Flight<V> {
    result: watch::Sender<Option<Outcome<V>>>,
    slot: Arc<FlightSlot<V>>,
}

/// A caller that waits for the result of a flight.
pub(super) struct Waiter<V> {
    result: watch::Receiver<Option<Outcome<V>>>,
    is_orphan: Arc<AtomicBool>,
}

/// The caller that has started a flight. Dropping it before the flight ends makes that an orphan.
pub(super) struct Starter {
    is_orphan: Arc<AtomicBool>,
    has_result: bool,
}

impl<V> FlightSlot<V> {
    pub(super) fn new() -> Arc<Self> {
        let state = Mutex::new(State { flight: None, failure: None });
        Arc::new(Self { state, busy: AtomicBool::new(false) })
    }

    pub(super) fn is_busy(&self) -> bool {
        self.busy.load(Ordering::Relaxed)
    }

    /// Locks the state. The lock is never held across an await or a fetch.
    pub(super) fn lock(&self) -> MutexGuard<'_, State<V>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a flight. The caller has seen under the same lock that there is none.
    pub(super) fn begin(self: &Arc<Self>, state: &mut State<V>) -> (Flight<V>, Waiter<V>) {
        let (result, waiter) = watch::channel(None);
        let waiter = Waiter { result: waiter, is_orphan: Arc::default() };
        state.flight = Some(waiter.clone());
        self.busy.store(true, Ordering::Relaxed);
        (Flight { result, slot: Arc::clone(self) }, waiter)
    }

    /// Forgets the flight and the last failure. The flight goes on for its waiters; the lease does not get its result.
    pub(super) fn detach(&self, state: &mut State<V>) {
        *state = State { flight: None, failure: None };
        self.busy.store(false, Ordering::Relaxed);
    }
}

impl<V> State<V> {
    /// Joins the flight that runs.
    pub(super) fn join(&self) -> Option<Waiter<V>> {
        self.flight.clone()
    }
}

impl<V> Flight<V> {
    /// Ends the flight. `record` stores the outcome in the lease, under the lock: a caller that finds no flight finds its
    /// value. It is not called for a detached flight.
    pub(super) fn end(self, outcome: Outcome<V>, record: impl FnOnce(&Outcome<V>)) {
        let mut state = self.slot.lock();
        if self.is_current(&state) {
            record(&outcome);
            state.failure = outcome.as_ref().err().cloned();
            state.flight = None;
            self.slot.busy.store(false, Ordering::Relaxed);
        }
        drop(state);
        self.result.send_replace(Some(outcome));
    }

    fn is_current(&self, state: &State<V>) -> bool {
        state.flight.as_ref().is_some_and(|flight| flight.result.same_channel(&self.result.subscribe()))
    }
}

impl<V> Drop for Flight<V> {
    fn drop(&mut self) {
        let mut state = self.slot.lock();
        if self.is_current(&state) {
            state.flight = None;
            self.slot.busy.store(false, Ordering::Relaxed);
        }
    }
}

impl<V: Send + Sync> Waiter<V> {
    /// Waits for the result. `None` when the flight ended without one: its fetch panicked, or its runtime was shut down.
    pub(super) async fn outcome(&mut self) -> Option<Outcome<V>> {
        self.result.wait_for(Option::is_some).await.ok().and_then(|outcome| outcome.clone())
    }
}

impl<V> Waiter<V> {
    /// Returns the guard of the caller that has started the flight.
    pub(super) fn starter(&self) -> Starter {
        Starter { is_orphan: Arc::clone(&self.is_orphan), has_result: false }
    }

    /// Returns whether the caller that started the flight has given up.
    pub(super) fn is_orphan(&self) -> bool {
        self.is_orphan.load(Ordering::Relaxed)
    }
}

impl<V> Clone for Waiter<V> {
    fn clone(&self) -> Self {
        Self { result: self.result.clone(), is_orphan: Arc::clone(&self.is_orphan) }
    }
}

impl Starter {
    /// Notes that the caller has the result of the flight.
    pub(super) fn end(mut self) {
        self.has_result = true;
    }
}

impl Drop for Starter {
    fn drop(&mut self) {
        if !self.has_result {
            self.is_orphan.store(true, Ordering::Relaxed);
        }
    }
}
