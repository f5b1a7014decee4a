//! The published snapshot.

use std::sync::Arc;

use tokio::sync::watch;

use crate::providers::PrimaryProvider;
use crate::snapshot::Snapshot;
use crate::snapshot::feed::Snapshots;

/// The snapshot that is served and its primary provider. Only `apply` publishes; all others subscribe.
///
/// A snapshot is published after it was activated and probed, so that one that is rolled back is never visible.
#[derive(Debug)]
pub(crate) struct Published {
    snapshot: watch::Sender<Arc<Snapshot>>,
    primary: watch::Sender<Option<PrimaryProvider>>,
}

impl Published {
    pub(crate) fn new(snapshot: Arc<Snapshot>) -> Self {
        let primary = watch::Sender::new(primary_of(&snapshot));
        Self { snapshot: watch::Sender::new(snapshot), primary }
    }

    /// Returns the snapshot that is served.
    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.snapshot.borrow())
    }

    /// Publishes the next snapshot.
    pub(crate) fn publish(&self, snapshot: Arc<Snapshot>) {
        self.primary.send_replace(primary_of(&snapshot));
        self.snapshot.send_replace(snapshot);
    }

    /// Subscribes to the snapshot that is served and every later one. The feed ends when `self` is dropped.
    pub(crate) fn follow(&self) -> Snapshots {
        Snapshots::new(self.snapshot.subscribe())
    }

    /// Subscribes to the primary provider.
    pub(crate) fn follow_primary(&self) -> watch::Receiver<Option<PrimaryProvider>> {
        self.primary.subscribe()
    }
}

fn primary_of(snapshot: &Snapshot) -> Option<PrimaryProvider> {
    Some(PrimaryProvider::new(snapshot.providers.primary()?, &snapshot.config.primary))
}
