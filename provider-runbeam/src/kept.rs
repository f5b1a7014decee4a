use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

/// How many values are held that nobody uses.
const IDLE: usize = 32;

/// What outlives a provider, because the next one of the same kind goes on with it.
pub(crate) struct Kept<K, V>(Mutex<HashMap<K, Arc<V>>>);

impl<K: Eq + Hash, V> Kept<K, V> {
    /// The value of `key`, made now if it is the first time.
    pub(crate) fn get(&self, key: K, make: impl FnOnce() -> V) -> Arc<V> {
        let mut values = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if values.len() >= IDLE && !values.contains_key(&key) {
            values.retain(|_, value| Arc::strong_count(value) > 1);
        }
        Arc::clone(values.entry(key).or_insert_with(|| Arc::new(make())))
    }

    /// Everything that is held.
    pub(crate) fn all(&self) -> Vec<(K, Arc<V>)>
    where
        K: Clone,
    {
        let values = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        values.iter().map(|(key, value)| (key.clone(), Arc::clone(value))).collect()
    }
}

impl<K, V> Default for Kept<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K, V> fmt::Debug for Kept<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.0.lock().map_or(0, |values| values.len());
        f.debug_tuple("Kept").field(&count).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_who_asks_gets_the_same_and_what_nobody_uses_is_let_go() {
        let kept = Kept::default();
        let first = kept.get(0, || "a");
        assert!(Arc::ptr_eq(&first, &kept.get(0, || "b")));
        for key in 1..1000 {
            kept.get(key, || "c");
        }
        assert!(kept.0.lock().unwrap().len() <= IDLE);
        assert!(Arc::ptr_eq(&first, &kept.get(0, || "b")));
    }
}
