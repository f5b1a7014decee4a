//! The state that the connections of a stand-in share.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::answer::Answer;
use super::request::Asked;
use crate::testkit::Trouble;

pub(super) type Handler = dyn Fn(&Asked) -> Answer + Send + Sync;

/// The state that the connections of a stand-in share.
pub(super) struct Shared {
    pub(super) handler: Box<Handler>,
    pub(super) requests: Mutex<Vec<Asked>>,
    pub(super) troubles: Mutex<Vec<(String, Trouble)>>,
}

impl Shared {
    /// Returns the trouble that applies to this request.
    pub(super) fn trouble(&self, request: &Asked) -> Option<Trouble> {
        let line = format!("{} {}", request.method, request.path);
        let troubles = lock(&self.troubles);
        let matches = |prefix: &str| request.path.starts_with(prefix) || line.starts_with(prefix);
        troubles.iter().rev().find(|(prefix, _)| matches(prefix)).map(|(_, trouble)| trouble.clone())
    }
}

/// Locks a mutex, also a poisoned one: a handler that panics fails its own request, not all later ones.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
