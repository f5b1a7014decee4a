//! Counters that many threads add to.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use provider_api::PerThread;

/// A counter for events that are rare beside requests.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    /// Adds one.
    pub(crate) fn inc(&self) {
        self.add(1);
    }

    /// Adds a number.
    pub(crate) fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    /// Returns the number so far.
    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Counters with a copy per thread, each in cache lines of its own. Their sum is made when they are read.
pub(crate) struct Sharded<T>(PerThread<Lines<T>>);

/// 128 bytes: CPUs fetch lines in pairs.
#[repr(align(128))]
struct Lines<T>(T);

impl<T: Default> Sharded<T> {
    pub(crate) fn new() -> Self {
        Self(PerThread::new(|| Lines(T::default())))
    }

    /// Returns the copy of this thread.
    pub(crate) fn get(&self) -> &T {
        &self.0.get().0
    }

    /// Returns the sum of a counter over all copies.
    pub(crate) fn sum(&self, counter: impl Fn(&T) -> &Counter) -> u64 {
        self.all().map(|copy| counter(copy).get()).fold(0, u64::wrapping_add)
    }

    /// Returns all copies.
    pub(crate) fn all(&self) -> impl Iterator<Item = &T> {
        self.0.iter().map(|lines| &lines.0)
    }
}

impl<T: Default> Default for Sharded<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> fmt::Debug for Sharded<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sharded").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_lose_no_count() {
        let counter = Sharded::<Counter>::new();
        std::thread::scope(|threads| {
            for _ in 0..32 {
                threads.spawn(|| (0..1000).for_each(|_| counter.get().inc()));
            }
        });
        assert_eq!(counter.sum(|counter| counter), 32_000);
    }
}
