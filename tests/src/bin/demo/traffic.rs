//! Continuous requests in the background.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use harmony_tests::client;
use tokio::task::JoinHandle;

/// Requests to one URL, sent one after the other during a change.
pub(crate) struct Traffic {
    counts: Arc<Counts>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct Counts {
    succeeded: AtomicU64,
    failed: AtomicU64,
    stopped: AtomicBool,
}

impl Traffic {
    /// Starts sending requests to `url`.
    pub(crate) fn to(url: String) -> Self {
        let counts = Arc::new(Counts::default());
        let counting = Arc::clone(&counts);
        let task = tokio::spawn(async move {
            let client = client();
            while !counting.stopped.load(Ordering::Relaxed) {
                let succeeded =
                    client.get(&url).send().await.is_ok_and(|answer| answer.status().is_success());
                let count = if succeeded { &counting.succeeded } else { &counting.failed };
                count.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        });
        Self { counts, task }
    }

    /// Stops and returns the number of requests; fails if any of them failed.
    pub(crate) async fn stop(self) -> Result<u64, String> {
        self.counts.stopped.store(true, Ordering::Relaxed);
        self.task.await.map_err(|error| error.to_string())?;
        let (succeeded, failed) =
            (self.counts.succeeded.load(Ordering::Relaxed), self.counts.failed.load(Ordering::Relaxed));
        match (succeeded, failed) {
            (succeeded, 0) if succeeded > 0 => Ok(succeeded),
            _ => Err(format!("{failed} of {} requests failed meanwhile", succeeded + failed)),
        }
    }
}
