//! Clocks that a test can turn.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use crate::Clock;

/// A wall clock that runs ahead of the machine's clock by an offset that a test can increase.
///
/// The offset starts at zero, so that the clock agrees with that of a control plane. Clones share the offset.
#[derive(Clone, Debug, Default)]
pub struct TurnedClock(Arc<AtomicU64>);

impl TurnedClock {
    /// Creates a clock with an offset of zero.
    pub fn new() -> Self {
        Self::default()
    }

    /// Turns the clock and all its clones ahead, by whole seconds.
    pub fn turn(&self, ahead: Duration) {
        self.0.fetch_add(ahead.as_secs(), Ordering::SeqCst);
    }
}

impl Clock for TurnedClock {
    fn now(&self) -> SystemTime {
        SystemTime::now() + Duration::from_secs(self.0.load(Ordering::SeqCst))
    }
}

/// Advances tokio's clock by `time` without waiting, so that intervals and cooldowns of a provider end.
///
/// Use it in [`World::pass`](super::World::pass), and turn the wall clock there as well.
///
/// # Panics
/// Panics outside a current-thread runtime, and when the clock is paused already. The tests of
/// [`conformance!`](crate::conformance) run in a suitable one.
pub async fn time_passes(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}
