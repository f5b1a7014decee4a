//! The interner: a concurrent map that returns one shared value per key.

use std::borrow::Borrow;
use std::fmt;
use std::hash::Hash;
use std::sync::Arc;

use dashmap::DashMap;

/// The number of entries above which unused ones are evicted.
const MAX_UNUSED: usize = 32;

/// A map of values that outlive a provider: the next provider with the same key reuses the value.
///
/// A configuration reload builds new providers, often with new keys, so unused values are evicted. A value is
/// unused when only the map refers to it.
pub(crate) struct Interner<K, V>(DashMap<K, Arc<V>>);

impl<K: Eq + Hash, V> Interner<K, V> {
    /// Returns the value of `key`, and calls `make` for a key that has none.
    ///
    /// `make` runs without a lock, so it may use any map, this one included. When two threads request a new key at the
    /// same time, both call `make`, and both get the value that was inserted first.
    pub(crate) fn get(&self, key: K, make: impl FnOnce() -> V) -> Arc<V> {
        // `get` takes a shared lock on one shard, `entry` would take an exclusive one.
        if let Some(value) = self.find(&key) {
            return value;
        }
        let made = Arc::new(make());
        let value = Arc::clone(self.0.entry(key).or_insert(made).value());
        // The guard of the entry must be dropped by now: `len` and `retain` lock each shard in turn, and
        // would wait for it forever.
        if self.0.len() > MAX_UNUSED {
            self.0.retain(|_, value| Arc::strong_count(value) > 1);
        }
        value
    }

    /// Returns the value of `key`, if there is one. Needs no owned key, unlike [`get`](Self::get).
    pub(crate) fn find<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> Option<Arc<V>>
    where
        K: Borrow<Q>,
    {
        self.0.get(key).map(|value| Arc::clone(&value))
    }

    /// Returns a copy of every entry. The caller uses them without a lock.
    pub(crate) fn entries(&self) -> Vec<(K, Arc<V>)>
    where
        K: Clone,
    {
        self.0.iter().map(|entry| (entry.key().clone(), Arc::clone(entry.value()))).collect()
    }
}

impl<K: Eq + Hash, V> Default for Interner<K, V> {
    fn default() -> Self {
        Self(DashMap::new())
    }
}

impl<K: Eq + Hash, V> fmt::Debug for Interner<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The values may hold credentials, so only their number is shown.
        f.debug_tuple("Interner").field(&self.0.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::thread;

    use super::*;

    #[test]
    fn unused_values_are_evicted() {
        let interner = Interner::default();
        let first = interner.get(0, || "a");
        assert!(Arc::ptr_eq(&first, &interner.get(0, || "b")));
        for key in 1..1000 {
            interner.get(key, || "c");
            assert!(interner.0.len() <= MAX_UNUSED);
        }
        assert!(Arc::ptr_eq(&first, &interner.get(0, || "b")), "a value in use is never evicted");
    }

    #[test]
    fn values_in_use_are_not_bounded() {
        let interner = Interner::default();
        let used: Vec<_> = (0..2 * MAX_UNUSED).map(|key| interner.get(key, || key)).collect();
        assert_eq!(interner.entries().len(), used.len());
        drop(used);
        interner.get(usize::MAX, || 0);
        assert!(interner.0.len() <= MAX_UNUSED);
    }

    // Two threads with two values would split a connection pool or, worse, the state of a credential.
    #[test]
    fn threads_share_one_value_per_key() {
        const THREADS: usize = 8;
        let (interner, start) = (Interner::default(), Barrier::new(THREADS));
        for key in 0..200 {
            let get = || {
                start.wait();
                interner.get(key, || key)
            };
            let values: Vec<_> = thread::scope(|scope| {
                let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(get)).collect();
                threads.into_iter().map(|thread| thread.join().unwrap()).collect()
            });
            assert!(values.iter().all(|value| Arc::ptr_eq(value, &values[0])), "{key}");
        }
        assert!(interner.0.len() <= MAX_UNUSED);
    }

    #[test]
    fn make_may_use_the_same_map() {
        let interner = Interner::default();
        let outer = interner.get(1, || *interner.get(2, || 20) + *interner.get(1, || 1));
        assert_eq!(*outer, 1, "the value that was inserted first stays");
    }
}
