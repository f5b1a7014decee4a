//! The snapshot that is served, and where it is published.

use std::sync::Arc;

use provider_api::Provider;
use tokio::sync::watch;

use crate::snapshot::Snapshot;
use crate::snapshot::feed::Snapshots;

/// The snapshot that is served and its primary provider. Only apply publishes; everybody else follows.
///
/// A snapshot is published after it was activated and shown to be live, so that what is taken back never shows.
#[derive(Debug)]
pub(crate) struct Published {
    snapshot: watch::Sender<Arc<Snapshot>>,
    primary: watch::Sender<Option<Arc<dyn Provider>>>,
}

impl Published {
    pub(crate) fn new(snapshot: Arc<Snapshot>) -> Self {
        let primary = watch::Sender::new(snapshot.providers.primary().cloned());
        Self { snapshot: watch::Sender::new(snapshot), primary }
    }

    /// The snapshot that is served.
    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.snapshot.borrow())
    }

    /// Publishes the next snapshot.
    pub(crate) fn publish(&self, snapshot: Arc<Snapshot>) {
        self.primary.send_replace(snapshot.providers.primary().cloned());
        self.snapshot.send_replace(snapshot);
    }

    /// The snapshot that is served and every one that is published after it. Ends with this.
    pub(crate) fn follow(&self) -> Snapshots {
        Snapshots::new(self.snapshot.subscribe())
    }

    /// The primary provider, now and whenever it changes.
    pub(crate) fn follow_primary(&self) -> watch::Receiver<Option<Arc<dyn Provider>>> {
        self.primary.subscribe()
    }
}
