//! The counters of the control side, and those of caches.

use provider_api::{Error, ErrorKind, RejectionClass};

use crate::metrics::counter::{Counter, Sharded};

/// Counters of the control side, since the start.
#[derive(Debug, Default)]
pub(crate) struct ControlCounters {
    /// Configurations that were tried and applied.
    pub(crate) applied: Counter,
    /// Those that were rejected, by class.
    rejected: [Counter; RejectionClass::ALL.len()],
    /// Sync passes without an error, and the others.
    pub(crate) passes: Counter,
    pub(crate) failed_passes: Counter,
    /// Changes of the provider by their outcome.
    pub(crate) changes_applied: Counter,
    pub(crate) changes_rejected: Counter,
    pub(crate) changes_held: Counter,
    /// Reloads that an operator has asked for, by their verdict.
    pub(crate) reloads_applied: Counter,
    pub(crate) reloads_unchanged: Counter,
    pub(crate) reloads_rejected: Counter,
}

impl ControlCounters {
    /// Counts a rejected configuration by the name of the class.
    pub(crate) fn rejected(&self, class: &str) {
        let at = RejectionClass::ALL.iter().position(|known| known.to_string() == class);
        if let Some(counter) = at.and_then(|at| self.rejected.get(at)) {
            counter.inc();
        }
    }

    /// Returns the rejected configurations by class.
    pub(crate) fn rejections(&self) -> impl Iterator<Item = (RejectionClass, u64)> + '_ {
        RejectionClass::ALL.into_iter().zip(self.rejected.iter().map(Counter::get))
    }
}

/// The counters of a cache of what a provider has answered.
#[derive(Debug, Default)]
pub(crate) struct CacheCounters {
    /// The questions for a cached value.
    pub(crate) lookups: Sharded<Counter>,
    /// The calls of the provider: for values that were missing, and to refresh others.
    pub(crate) fetches: Counter,
    /// Those that failed because the provider could not answer.
    pub(crate) failures: Counter,
}

impl CacheCounters {
    /// Counts a call of the provider, with its error.
    pub(crate) fn fetched(&self, error: Option<&Error>) {
        self.fetches.inc();
        if error.is_some_and(|error| error.kind() == ErrorKind::Unavailable) {
            self.failures.inc();
        }
    }
}
