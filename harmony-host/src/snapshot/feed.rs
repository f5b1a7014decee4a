//! The feed of snapshots.

use std::sync::Arc;

use tokio::sync::watch;

use crate::snapshot::Snapshot;

/// The configurations of a running host, one after the other: the one that is served, then each that takes its place.
///
/// * A snapshot comes here after it was activated and shown to be live. One that was activated for a moment and rolled
///   back never does.
/// * Nothing queues up: a slow reader gets the latest and misses those in between.
/// * Clones are independent, and none delays the host.
#[derive(Clone, Debug)]
pub struct Snapshots(watch::Receiver<Arc<Snapshot>>);

impl Snapshots {
    pub(crate) fn new(mut published: watch::Receiver<Arc<Snapshot>>) -> Self {
        published.mark_changed();
        Self(published)
    }

    /// A feed that begins with the latest snapshot again.
    pub(crate) fn restarted(&self) -> Self {
        Self::new(self.0.clone())
    }

    /// Waits for a snapshot that [`next`](Self::next) has not returned yet; the first call returns at once. `None` when
    /// the host has stopped and its last snapshot was returned.
    ///
    /// Cancel safe: the next call returns what a dropped one would have.
    pub async fn next(&mut self) -> Option<Arc<Snapshot>> {
        self.0.changed().await.ok()?;
        Some(Arc::clone(&self.0.borrow_and_update()))
    }

    /// The latest snapshot, returned before or not.
    pub fn latest(&self) -> Arc<Snapshot> {
        Arc::clone(&self.0.borrow())
    }
}
