//! The number of times that this process synced a file or a directory: the cost of durability.

use std::sync::atomic::{AtomicU64, Ordering};

static SYNCS: AtomicU64 = AtomicU64::new(0);

/// Counts a sync.
pub(crate) fn count() {
    SYNCS.fetch_add(1, Ordering::Relaxed);
}

/// Returns the number of syncs since the start of the process.
#[cfg(feature = "management")]
pub(crate) fn total() -> u64 {
    SYNCS.load(Ordering::Relaxed)
}
