use std::sync::Arc;

use tokio::sync::watch;

use crate::snapshot::Snapshot;

/// The configurations of a running gateway, one after the other: what is served, then each that takes its place.
///
/// * Only what is live comes here: it was published, and a probe has seen it. What was published for a moment and
///   taken back never does.
/// * Nothing queues up. Who is slow gets the latest and misses those between.
/// * Clones are independent, and none holds the gateway up.
#[derive(Clone, Debug)]
pub struct Snapshots(watch::Receiver<Arc<Snapshot>>);

impl Snapshots {
    pub(crate) fn new(mut committed: watch::Receiver<Arc<Snapshot>>) -> Self {
        committed.mark_changed();
        Self(committed)
    }

    /// The latest one that [`next`](Self::next) has not given yet: at once when there is one, and so the first time,
    /// else when it comes. `None` when the gateway has stopped and its last one was given.
    ///
    /// Cancel safe: what a dropped call would have given the next call gives.
    pub async fn next(&mut self) -> Option<Arc<Snapshot>> {
        self.0.changed().await.ok()?;
        Some(Arc::clone(&self.0.borrow_and_update()))
    }

    /// The latest one, whether it was given before or not.
    pub fn latest(&self) -> Arc<Snapshot> {
        Arc::clone(&self.0.borrow())
    }
}
