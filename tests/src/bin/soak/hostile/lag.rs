//! The delays that the machine itself causes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::Instant;

/// The interval in which the delay is measured.
const INTERVAL: Duration = Duration::from_millis(25);

/// A measurement of how late a timer of this process fires: on a busy machine, the gateway is late for the same reason.
#[derive(Debug)]
pub(super) struct Lag {
    total_micros: Arc<AtomicU64>,
    task: JoinHandle<()>,
}

impl Lag {
    pub(super) fn start() -> Self {
        let total_micros = Arc::new(AtomicU64::new(0));
        let total = Arc::clone(&total_micros);
        let task = tokio::spawn(async move {
            loop {
                let start = Instant::now();
                tokio::time::sleep(INTERVAL).await;
                let late = start.elapsed().saturating_sub(INTERVAL + Duration::from_millis(2));
                total.fetch_add(u64::try_from(late.as_micros()).unwrap_or(0), Ordering::Relaxed);
            }
        });
        Self { total_micros, task }
    }

    /// Returns the sum of the delays so far.
    pub(super) fn total(&self) -> Duration {
        Duration::from_micros(self.total_micros.load(Ordering::Relaxed))
    }
}

impl Drop for Lag {
    fn drop(&mut self) {
        self.task.abort();
    }
}
