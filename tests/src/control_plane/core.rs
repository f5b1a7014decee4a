//! The shared state of a control plane, and waiting for its changes.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use super::faults::Fault;
use super::log::Log;
use super::rules::Rules;
use super::state::State;
use super::store;

/// The settings of the builder.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) per_page: usize,
    pub(super) machine_token_seconds: i64,
    pub(super) mesh_token_seconds: i64,
    pub(super) jwks_max_age: Option<u32>,
    pub(super) data: Option<PathBuf>,
    pub(super) print_requests: bool,
}

/// The state shared by the library and the connections.
#[derive(Debug)]
pub(super) struct Core {
    /// `http://127.0.0.1:PORT`
    pub(super) url: String,
    pub(super) settings: Settings,
    state: Mutex<State>,
    log: Mutex<Log>,
    rules: Mutex<Rules<Fault>>,
    /// A counter that grows with every change, for waiters.
    revision: watch::Sender<u64>,
}

impl Core {
    pub(super) fn new(url: String, settings: Settings, state: State) -> Self {
        let (revision, _) = watch::channel(0);
        Self { url, settings, state: state.into(), log: Mutex::default(), rules: Mutex::default(), revision }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn rules(&self) -> MutexGuard<'_, Rules<Fault>> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state, saves it if there is a data file, and wakes the waiters.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let result = {
            let mut state = self.state();
            let result = change(&mut state);
            if let Some(path) = &self.settings.data {
                store::write(path, &state);
            }
            result
        };
        self.wake();
        result
    }

    /// The number of changes so far.
    pub(super) fn revision(&self) -> u64 {
        *self.revision.borrow()
    }

    pub(super) fn wake(&self) {
        self.revision.send_modify(|revision| *revision += 1);
    }

    /// Waits without a limit until `check` returns a value.
    pub(super) async fn until<T>(&self, mut check: impl FnMut() -> Option<T>) -> T {
        let mut revision = self.revision.subscribe();
        loop {
            revision.borrow_and_update();
            if let Some(value) = check() {
                return value;
            }
            // The sender is part of `self`, so the channel is open.
            let _ = revision.changed().await;
        }
    }

    /// Waits until `check` returns a value; `None` after `limit`.
    pub(super) async fn within<T>(&self, limit: Duration, check: impl FnMut() -> Option<T>) -> Option<T> {
        tokio::time::timeout(limit, self.until(check)).await.ok()
    }
}
