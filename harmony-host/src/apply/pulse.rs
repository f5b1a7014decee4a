//! The pulse of the apply task, by which a watchdog sees that the task works.

use std::sync::Arc;

use tokio::sync::watch;

/// The pulse of the apply task. It beats with each command, each candidate that is built and each step of an activation, so
/// that it stops only when the task hangs, not when it has much to do. A cheap handle.
#[derive(Clone, Debug)]
pub(crate) struct Pulse(Arc<watch::Sender<()>>);

impl Pulse {
    pub(crate) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(())))
    }

    /// Shows that the task works.
    pub(super) fn beat(&self) {
        self.0.send_replace(());
    }

    /// Returns a receiver that sees the beats from now on.
    pub(crate) fn listen(&self) -> watch::Receiver<()> {
        self.0.subscribe()
    }
}
