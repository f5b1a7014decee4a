use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use crate::Clock;

/// A wall clock that goes with the machine's, and is ahead of it by as much as it was turned.
///
/// It starts where the machine's is, so that a control plane with a clock of its own agrees with it.
#[derive(Clone, Debug, Default)]
pub struct TurnedClock(Arc<AtomicU64>);

impl TurnedClock {
    /// One that was not turned yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Turns it ahead, for everybody who has a clone of it.
    pub fn turn(&self, ahead: Duration) {
        self.0.fetch_add(ahead.as_secs(), Ordering::SeqCst);
    }
}

impl Clock for TurnedClock {
    fn now(&self) -> SystemTime {
        SystemTime::now() + Duration::from_secs(self.0.load(Ordering::SeqCst))
    }
}

/// Lets `time` pass on tokio's clock: intervals and cooldowns that a provider keeps end, nobody waits.
///
/// For current-thread runtimes whose clock is not paused, as [`conformance!`](crate::conformance) makes them. A
/// world with a wall clock turns that as well, see [`World::pass`](super::World::pass).
pub async fn time_passes(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}
