use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use super::faults::Fault;
use super::log::Log;
use super::rules::Rules;
use super::state::State;
use super::store;

/// What was chosen when the control plane was built.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) per_page: usize,
    pub(super) machine_token_seconds: i64,
    pub(super) mesh_token_seconds: i64,
    pub(super) jwks_max_age: Option<u32>,
    pub(super) data: Option<PathBuf>,
    pub(super) narrate: bool,
}

/// What the library and the connections share.
#[derive(Debug)]
pub(super) struct Core {
    /// `http://127.0.0.1:PORT`
    pub(super) url: String,
    pub(super) settings: Settings,
    state: Mutex<State>,
    log: Mutex<Log>,
    rules: Mutex<Rules<Fault>>,
    /// Changes whenever anything does, for those who wait for something.
    moved: watch::Sender<u64>,
}

impl Core {
    pub(super) fn new(url: String, settings: Settings, state: State) -> Self {
        let (moved, _) = watch::channel(0);
        Self { url, settings, state: state.into(), log: Mutex::default(), rules: Mutex::default(), moved }
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

    /// Changes the state, keeps it when it is kept, and wakes who waits.
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

    pub(super) fn wake(&self) {
        self.moved.send_modify(|moves| *moves += 1);
    }

    /// Waits until `look` sees something, for as long as it takes.
    pub(super) async fn until<T>(&self, mut look: impl FnMut() -> Option<T>) -> T {
        let mut moved = self.moved.subscribe();
        loop {
            moved.borrow_and_update();
            if let Some(seen) = look() {
                return seen;
            }
            // The sender is part of `self`.
            let _ = moved.changed().await;
        }
    }

    /// Waits until `look` sees something; `None` after `limit`.
    pub(super) async fn within<T>(&self, limit: Duration, look: impl FnMut() -> Option<T>) -> Option<T> {
        tokio::time::timeout(limit, self.until(look)).await.ok()
    }
}
