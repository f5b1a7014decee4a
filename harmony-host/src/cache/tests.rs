//! Tests of the bounded cache.

use super::*;

fn never(_: &usize) -> bool {
    false
}

#[test]
fn callers_share_a_value() {
    let cache = BoundedCache::new(10);
    let one = cache.get_or_insert(&"key".to_owned(), || 1);
    let other = cache.get_or_insert(&"key".to_owned(), || 2);
    assert!(std::ptr::eq(&*one, &*other));
    assert_eq!(cache.get("key").as_deref(), Some(&1));
    cache.insert("key".to_owned(), 3, never);
    assert_eq!((cache.get("key").as_deref(), *one, cache.len()), (Some(&3), 1, 1));
    cache.remove(&"key".to_owned(), |value| *value == 1);
    assert_eq!(cache.len(), 1, "not the value that was meant");
    cache.remove(&"key".to_owned(), |value| *value == 3);
    assert!(cache.get("key").is_none() && cache.len() == 0);
}

/// A cache that is filled beyond its size loses one entry per insertion, and keeps those in use.
#[test]
fn eviction_spares_what_is_used() {
    const MAX: usize = 512;
    let cache = BoundedCache::new(MAX);
    let hot: Vec<usize> = (0..32).collect();
    for key in 0..20 * MAX {
        cache.insert(key, key, never);
        assert!(cache.len() <= MAX);
        for key in hot.iter().filter(|hot| **hot <= key) {
            assert!(cache.get(key).is_some(), "{key} is used after each insertion");
        }
    }
    assert_eq!(cache.len(), MAX);
    let mut counted = 0;
    cache.for_each(|_| counted += 1);
    assert_eq!(counted, MAX);
}

#[test]
fn useless_entries_go_first() {
    let cache = BoundedCache::new(SHARD);
    for key in 0..SHARD {
        cache.insert(key, key, never);
    }
    cache.insert(100, 100, |value| *value == 7);
    assert!(cache.get(&7).is_none() && cache.get(&0).is_some() && cache.get(&100).is_some());
}

#[test]
fn the_smallest_cache_holds_the_last_entry() {
    let cache = BoundedCache::new(1);
    for key in 0..10 {
        cache.insert(key, key, never);
        assert!(cache.get(&key).is_some() && cache.len() == 1);
    }
}

/// Threads that insert and evict side by side neither lose the count nor exceed the bound.
#[test]
fn threads_insert_at_the_same_time() {
    const MAX: usize = 64;
    let cache = BoundedCache::new(MAX);
    std::thread::scope(|scope| {
        for thread in 0..4_usize {
            let cache = &cache;
            scope.spawn(move || {
                for key in 0..2_000 {
                    cache.insert((thread, key), key, never);
                    cache.get_or_insert(&(0, key / 2), || key);
                    cache.remove(&(thread, key / 3), |_| true);
                }
            });
        }
    });
    let mut counted = 0;
    cache.for_each(|_| counted += 1);
    assert_eq!(cache.len(), counted);
    assert!(counted <= MAX);
}
