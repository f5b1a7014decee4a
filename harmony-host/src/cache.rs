//! The bounded cache: values by key for many threads at once, evicting those that were not used for longest.

use std::borrow::Borrow;
use std::fmt;
use std::hash::{BuildHasher as _, Hash, RandomState};
use std::ops::Deref;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwap;
use provider_api::{PerThread, Shared};

/// A map of at most `max` entries.
///
/// * **A lookup takes no lock, clones no key, and writes nothing that another thread reads,** except once after each
///   insertion: then it marks its entry as used.
/// * **An insertion copies one shard,** about 16 pointers, however large the cache is.
/// * **A full cache evicts one entry per insertion:** one that its owner calls useless, else the one that was not used for
///   longest, among at least 16 neighbours. The others stay.
///
/// The hash is seeded, so nobody can choose keys that share a shard. Two keys with the same hash displace each other.
pub(crate) struct BoundedCache<K, V> {
    /// Created by the first insertion: most caches of a configuration that is only tried stay empty.
    shards: OnceLock<Box<Shards<K, V>>>,
    max: usize,
    len: AtomicUsize,
    /// The number of insertions: the clock by which entries are used.
    insertions: AtomicU64,
    hasher: RandomState,
}

type Shards<K, V> = [ArcSwap<Shard<K, V>>];

type Shard<K, V> = Vec<Slot<K, V>>;

struct Slot<K, V> {
    hash: u64,
    entry: Arc<PerThread<Shared<Entry<K, V>>>>,
}

struct Entry<K, V> {
    key: K,
    value: V,
    /// The value of `insertions` when it was last used.
    used: AtomicU64,
}

/// A cached value. Dereferences to it, and keeps it alive when the cache evicts it.
pub(crate) struct Cached<K, V>(Shared<Entry<K, V>>);

/// The number of entries of a shard in a full cache, and of candidates for an eviction.
const SHARD: usize = 16;

impl<K: Hash + Eq, V> BoundedCache<K, V> {
    /// Creates an empty cache for at most `max` entries. Nothing is allocated.
    pub(crate) fn new(max: usize) -> Self {
        Self {
            shards: OnceLock::new(),
            max,
            len: AtomicUsize::new(0),
            insertions: AtomicU64::new(0),
            hasher: RandomState::new(),
        }
    }

    /// Returns the value of `key`.
    pub(crate) fn get<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> Option<Cached<K, V>>
    where
        K: Borrow<Q>,
    {
        self.find(self.hash(key), |known| known.borrow() == key)
    }

    /// Returns the value of `key`, the same one for all callers; `make` makes a missing one.
    pub(crate) fn get_or_insert(&self, key: &K, make: impl FnOnce() -> V) -> Cached<K, V>
    where
        K: Clone,
    {
        let hash = self.hash(key);
        self.find(hash, |known| known == key)
            .unwrap_or_else(|| self.put(hash, key.clone(), make(), false, |_| false))
    }

    /// Stores a value, over the one that `key` has. A full cache evicts values that `is_useless` first.
    pub(crate) fn insert(&self, key: K, value: V, is_useless: impl Fn(&V) -> bool) -> Cached<K, V> {
        self.put(self.hash(&key), key, value, true, is_useless)
    }

    /// Returns the hash of a key, or of the part of it that identifies it, for [`find`](Self::find).
    pub(crate) fn hash<Q: Hash + ?Sized>(&self, key: &Q) -> u64 {
        self.hasher.hash_one(key)
    }

    /// Returns the value whose key has `hash` and is the one that the caller looks for.
    pub(crate) fn find(&self, hash: u64, is_key: impl FnOnce(&K) -> bool) -> Option<Cached<K, V>> {
        let shards = self.shards.get()?;
        let shard = shards[index(shards, hash)].load();
        let slot = shard.iter().find(|slot| slot.hash == hash)?;
        let entry = slot.entry.get();
        if !is_key(&entry.key) {
            return None;
        }
        // Read before written: entries in use would otherwise pass their cache line around with every lookup.
        let now = self.insertions.load(Ordering::Relaxed);
        if entry.used.load(Ordering::Relaxed) != now {
            entry.used.store(now, Ordering::Relaxed);
        }
        Some(Cached(entry.clone()))
    }

    /// Stores a value whose key has `hash`. Without `replace` a value that is there already stays.
    pub(crate) fn put(
        &self,
        hash: u64,
        key: K,
        value: V,
        replace: bool,
        is_useless: impl Fn(&V) -> bool,
    ) -> Cached<K, V> {
        let used = AtomicU64::new(self.insertions.fetch_add(1, Ordering::Relaxed) + 1);
        let new = Arc::new(Shared::per_thread(Entry { key, value, used }));
        let (mut stored, mut grown) = (Arc::clone(&new), false);
        self.shard(hash).rcu(|shard| {
            let at = shard.iter().position(|slot| slot.hash == hash);
            grown = at.is_none();
            let known =
                at.map(|at| &shard[at].entry).filter(|known| !replace && known.get().key == new.get().key);
            stored = Arc::clone(known.unwrap_or(&new));
            if known.is_some() {
                return Arc::clone(shard);
            }
            let mut copy = Vec::with_capacity(shard.len() + 1);
            copy.extend(shard.iter().filter(|slot| slot.hash != hash).cloned());
            copy.push(Slot { hash, entry: Arc::clone(&new) });
            Arc::new(copy)
        });
        if grown && self.len.fetch_add(1, Ordering::Relaxed) >= self.max {
            self.evict(hash, is_useless);
        }
        Cached(stored.get().clone())
    }

    /// Removes the value of `key` if `is_meant`.
    pub(crate) fn remove(&self, key: &K, is_meant: impl Fn(&V) -> bool) {
        let hash = self.hash(key);
        self.take(hash, |entry| entry.key == *key && is_meant(&entry.value));
    }

    /// Returns the number of entries.
    pub(crate) fn len(&self) -> usize {
        self.len.load(Ordering::Relaxed)
    }

    /// Calls `read` for each value.
    pub(crate) fn for_each(&self, mut read: impl FnMut(&V)) {
        for shard in self.shards.get().into_iter().flatten() {
            shard.load().iter().for_each(|slot| read(&slot.entry.get().value));
        }
    }

    fn shards(&self) -> &Shards<K, V> {
        self.shards.get_or_init(|| {
            let (empty, count) = (Arc::new(Vec::new()), self.max.div_ceil(SHARD).max(1));
            std::iter::repeat_with(|| ArcSwap::new(Arc::clone(&empty))).take(count).collect()
        })
    }

    fn shard(&self, hash: u64) -> &ArcSwap<Shard<K, V>> {
        let shards = self.shards();
        &shards[index(shards, hash)]
    }

    /// Evicts an entry other than the one with the hash `new`, in its shard or those behind it.
    fn evict(&self, new: u64, is_useless: impl Fn(&V) -> bool) {
        let shards = self.shards();
        loop {
            let (mut seen, mut victim) = (0, None);
            for shard in shards.iter().cycle().skip(index(shards, new)).take(shards.len()) {
                for slot in shard.load().iter().filter(|slot| slot.hash != new) {
                    let entry = slot.entry.get();
                    let rank = (!is_useless(&entry.value), entry.used.load(Ordering::Relaxed));
                    if victim.is_none_or(|(least, _)| rank < least) {
                        victim = Some((rank, slot.hash));
                    }
                    seen += 1;
                }
                if seen >= SHARD {
                    break;
                }
            }
            // Another thread may have removed it since; then there is another one to evict.
            match victim {
                Some((_, hash)) if !self.take(hash, |_| true) => {}
                _ => return,
            }
        }
    }

    fn take(&self, hash: u64, is_meant: impl Fn(&Entry<K, V>) -> bool) -> bool {
        let mut taken = false;
        self.shard(hash).rcu(|shard| {
            taken = shard.iter().any(|slot| slot.hash == hash && is_meant(slot.entry.get()));
            match taken {
                true => Arc::new(shard.iter().filter(|slot| slot.hash != hash).cloned().collect()),
                false => Arc::clone(shard),
            }
        });
        if taken {
            self.len.fetch_sub(1, Ordering::Relaxed);
        }
        taken
    }
}

fn index<T>(shards: &[T], hash: u64) -> usize {
    // The high half: a shard's position must not depend on the bits of a power of two only.
    usize::try_from(hash >> 32).unwrap_or_default() % shards.len()
}

impl<K, V> Clone for Slot<K, V> {
    fn clone(&self) -> Self {
        Self { hash: self.hash, entry: Arc::clone(&self.entry) }
    }
}

impl<K, V> Clone for Cached<K, V> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<K, V> Deref for Cached<K, V> {
    type Target = V;

    fn deref(&self) -> &V {
        &self.0.value
    }
}

impl<K, V: fmt::Debug> fmt::Debug for Cached<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        V::fmt(self, f)
    }
}

impl<K: Hash + Eq, V> fmt::Debug for BoundedCache<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the entries: they may be tokens.
        f.debug_struct("BoundedCache").field("len", &self.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
