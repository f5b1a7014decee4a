//! All origins, and the closing of their idle connections.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;

use crate::proxy::pool::origin::Origin;
use crate::proxy::pool::server::{Key, Server};

/// The interval in which idle connections are looked at.
const SWEEP_INTERVAL: Duration = Duration::from_secs(5);

/// The origins that requests were sent to lately.
#[derive(Debug)]
pub(super) struct Origins {
    all: ArcSwap<HashMap<Key, Arc<Origin>>>,
    /// The maximum number of idle connections to one origin.
    max_idle: usize,
    is_swept: AtomicBool,
}

impl Origins {
    pub(super) fn new(max_idle: usize) -> Self {
        Self { all: ArcSwap::default(), max_idle, is_swept: AtomicBool::new(false) }
    }

    /// Returns the number of origins.
    pub(super) fn len(&self) -> usize {
        self.all.load().len()
    }

    /// Returns the origin of a server.
    pub(super) fn of(self: &Arc<Self>, server: &Server<'_>) -> Arc<Origin> {
        let key = Key::of(server);
        if let Some(known) = self.all.load().get(&key) {
            return Arc::clone(known);
        }
        self.sweep_from_now_on();
        let new = Arc::new(Origin::new(key.clone(), self.max_idle));
        let mut found = Arc::clone(&new);
        self.all.rcu(|all| {
            let mut all = HashMap::clone(all);
            found = Arc::clone(all.entry(key.clone()).or_insert_with(|| Arc::clone(&new)));
            all
        });
        found
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
        let unused: Vec<_> = all.iter().filter(|(_, origin)| !origin.sweep()).map(|(key, _)| key).collect();
        if !unused.is_empty() {
            self.all.rcu(|all| {
                let mut all = HashMap::clone(all);
                all.retain(|key, _| !unused.contains(&key));
                all
            });
        }
    }
}
