//! The violations, and the counts of what went well.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The findings of one variant. Clones are the same findings.
#[derive(Clone, Debug, Default)]
pub(super) struct Findings(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    /// The count and the first example of each kind of violation.
    violations: BTreeMap<&'static str, (usize, String)>,
    /// The number and the longest time of the requests of each kind.
    answered: BTreeMap<&'static str, (usize, Duration)>,
}

impl Findings {
    /// Records a violation.
    pub(super) fn violation(&self, kind: &'static str, example: impl Into<String>) {
        let mut inner = self.inner();
        let entry = inner.violations.entry(kind).or_insert_with(|| (0, example.into()));
        entry.0 += 1;
    }

    /// Records an answer, and the time it took.
    pub(super) fn answered(&self, kind: &'static str, took: Duration) {
        let mut inner = self.inner();
        let (count, longest) = inner.answered.entry(kind).or_default();
        *count += 1;
        *longest = took.max(*longest);
    }

    /// Returns the number of violations.
    pub(super) fn count(&self) -> usize {
        self.inner().violations.values().map(|(count, _)| count).sum()
    }

    /// Returns a line for each kind of violation.
    pub(super) fn lines(&self) -> Vec<String> {
        let inner = self.inner();
        inner
            .violations
            .iter()
            .map(|(kind, (count, first))| format!("{kind}: {count}, first: {first}"))
            .collect()
    }

    /// Returns the counts and the longest times on one line.
    pub(super) fn summary(&self) -> String {
        let inner = self.inner();
        let violations: usize = inner.violations.values().map(|(count, _)| count).sum();
        let answered = inner
            .answered
            .iter()
            .map(|(kind, (count, longest))| format!("{kind} {count} (longest {} ms)", longest.as_millis()));
        answered.chain([format!("violations {violations}")]).collect::<Vec<_>>().join(", ")
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
