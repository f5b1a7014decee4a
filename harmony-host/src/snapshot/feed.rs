//! The feed of snapshots.

use std::sync::Arc;

use tokio::sync::watch;

use crate::snapshot::Snapshot;

/// The feed of the snapshots of a running host: the one that is served, then each later one.
///
/// * A snapshot is published after it was activated and probed. One that was activated and rolled back never is.
/// * Snapshots do not queue: a slow reader gets the latest and misses those in between.
/// * Clones are independent, and none delays the host.
#[derive(Clone, Debug)]
pub struct Snapshots(watch::Receiver<Arc<Snapshot>>);

impl Snapshots {
    pub(crate) fn new(mut published: watch::Receiver<Arc<Snapshot>>) -> Self {
        published.mark_changed();
        Self(published)
    }

    /// Returns a feed that begins with the latest snapshot again.
    pub(crate) fn restarted(&self) -> Self {
        Self::new(self.0.clone())
    }

    /// Waits for a snapshot that this feed has not returned yet; the first call returns at once. `None` when the host has
    /// stopped and its last snapshot was returned.
    ///
    /// Cancel safe: a snapshot that a dropped call would have returned is returned by the next call.
    pub async fn next(&mut self) -> Option<Arc<Snapshot>> {
        self.0.changed().await.ok()?;
        Some(Arc::clone(&self.0.borrow_and_update()))
    }

    /// Returns the latest snapshot, even when [`next`](Self::next) has returned it already.
    pub fn latest(&self) -> Arc<Snapshot> {
        Arc::clone(&self.0.borrow())
    }
}
