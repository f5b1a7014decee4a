use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use provider_api::Clock;

pub(crate) const NOW: u64 = 1_750_000_000;

/// A wall clock that stands where the test puts it.
#[derive(Debug)]
pub(crate) struct TestClock(AtomicU64);

impl TestClock {
    pub(crate) fn new() -> Self {
        Self(AtomicU64::new(NOW))
    }

    pub(crate) fn set(&self, seconds: u64) {
        self.0.store(seconds, Ordering::Relaxed);
    }
}

impl Clock for TestClock {
    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(self.0.load(Ordering::Relaxed))
    }
}

/// Turns tokio's clock, which otherwise runs: on one that stands, whoever waits for a socket waits for ever
/// so long at once.
pub(crate) async fn turn(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}
