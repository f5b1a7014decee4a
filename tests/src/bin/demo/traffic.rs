use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use harmony_tests::client;
use tokio::task::JoinHandle;

/// Requests that keep coming while something is changed.
pub(crate) struct Traffic {
    counts: Arc<Counts>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct Counts {
    good: AtomicU64,
    bad: AtomicU64,
    over: AtomicBool,
}

impl Traffic {
    /// Starts to ask for `url` over and over.
    pub(crate) fn to(url: String) -> Self {
        let counts = Arc::new(Counts::default());
        let counting = Arc::clone(&counts);
        let task = tokio::spawn(async move {
            let client = client();
            while !counting.over.load(Ordering::Relaxed) {
                let good = client.get(&url).send().await.is_ok_and(|answer| answer.status().is_success());
                let count = if good { &counting.good } else { &counting.bad };
                count.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        });
        Self { counts, task }
    }

    /// Stops, and says how many were answered; an error when any failed.
    pub(crate) async fn stop(self) -> Result<u64, String> {
        self.counts.over.store(true, Ordering::Relaxed);
        self.task.await.map_err(|wrong| wrong.to_string())?;
        let (good, bad) = (self.counts.good.load(Ordering::Relaxed), self.counts.bad.load(Ordering::Relaxed));
        match (good, bad) {
            (good, 0) if good > 0 => Ok(good),
            _ => Err(format!("{bad} of {} requests failed meanwhile", good + bad)),
        }
    }
}
