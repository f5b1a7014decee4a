//! All origins, and the closing of their idle connections.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwap;

use crate::proxy::pool::origin::{Origin, SWEEP_INTERVAL};
use crate::proxy::pool::server::{Key, Server};

/// The origins that requests were sent to lately.
#[derive(Debug)]
pub(super) struct Origins {
    all: ArcSwap<ByHash>,
    /// The maximum number of idle connections to one origin.
    max_idle: usize,
    is_swept: AtomicBool,
}

/// Origins by the [hash](crate::plan::BaseUrl::origin_hash) of scheme and authority.
type ByHash = HashMap<u64, Vec<Arc<Origin>>, BuildHasherDefault<IsHash>>;

/// The hasher of keys that are hashes.
#[derive(Debug, Default)]
struct IsHash(u64);

impl Hasher for IsHash {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

impl Origins {
    pub(super) fn new(max_idle: usize) -> Self {
        Self { all: ArcSwap::default(), max_idle, is_swept: AtomicBool::new(false) }
    }

    /// Returns the number of origins.
    pub(super) fn len(&self) -> usize {
        self.all.load().values().map(Vec::len).sum()
    }

    /// Returns the origin of a server.
    pub(super) fn of(self: &Arc<Self>, server: &Server<'_>) -> Arc<Origin> {
        let find = |all: &ByHash| {
            let alike = all.get(&server.base.origin_hash)?;
            alike.iter().find(|origin| origin.key().is_of(server)).cloned()
        };
        if let Some(known) = find(&self.all.load()) {
            return known;
        }
        self.sweep_from_now_on();
        let new = Arc::new(Origin::new(Key::of(server), self.max_idle));
        let mut found = Arc::clone(&new);
        self.all.rcu(|all| {
            let mut all = HashMap::clone(all);
            match find(&all) {
                Some(known) => found = known,
                None => all.entry(server.base.origin_hash).or_default().push(Arc::clone(&new)),
            }
            all
        });
        found
    }

    /// Closes an idle connection, of the origin that has most of them, so that its place is free for another origin. Returns
    /// false if none is idle.
    pub(super) fn close_idle(&self) -> bool {
        let all = self.all.load();
        let fullest = all.values().flatten().max_by_key(|origin| origin.idle_count());
        fullest.is_some_and(|origin| origin.close_idle())
            || all.values().flatten().any(|one| one.close_unused())
    }

    /// Starts to close idle connections, once. Ends with the last handle.
    fn sweep_from_now_on(self: &Arc<Self>) {
        if self.is_swept.swap(true, Ordering::Relaxed) {
            return;
        }
        let weak = Arc::downgrade(self);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(SWEEP_INTERVAL).await;
                let Some(origins) = weak.upgrade() else { return };
                origins.sweep();
            }
        });
    }

    /// Closes idle connections, and forgets the origins that were not used for long.
    fn sweep(&self) {
        let all = self.all.load();
        let unused: Vec<_> = all.values().flatten().filter(|origin| !origin.sweep()).collect();
        if !unused.is_empty() {
            let is_unused = |origin: &Arc<Origin>| unused.iter().any(|unused| Arc::ptr_eq(unused, origin));
            self.all.rcu(|all| {
                let mut all = HashMap::clone(all);
                for alike in all.values_mut() {
                    alike.retain(|origin| !is_unused(origin));
                }
                all.retain(|_, alike| !alike.is_empty());
                all
            });
        }
    }
}
