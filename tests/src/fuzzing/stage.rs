//! The thread on which everything of a target runs, and the wait until nothing moves on it any more.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::runtime::{Builder, Runtime};

/// The number of turns without a byte after which nothing will move without a timer. A hop of a message takes a few.
const QUIET_TURNS: usize = 48;

/// Builds a runtime that runs everything on the calling thread.
pub(super) fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime")
}

/// The count of the bytes that client and backend have read or written.
#[derive(Clone, Debug, Default)]
pub(super) struct Activity(Arc<AtomicUsize>);

impl Activity {
    /// Counts bytes, or the end of a connection.
    pub(super) fn note(&self, bytes: usize) {
        self.0.fetch_add(bytes + 1, Ordering::Relaxed);
    }

    /// Waits until no byte moves. The gateway shares the thread, so it has done all that it can do without a timer.
    pub(super) async fn settled(&self) {
        let (mut seen, mut quiet) = (self.0.load(Ordering::Relaxed), 0);
        while quiet < QUIET_TURNS {
            tokio::task::yield_now().await;
            let now = self.0.load(Ordering::Relaxed);
            quiet = if now == seen { quiet + 1 } else { 0 };
            seen = now;
        }
    }
}
