//! The schedule of the sync passes.

use std::time::Duration;

use provider_api::Cadence;
use tokio::time::Instant;

/// The time of the next pass. It is computed from the current interval, so that an edit of the interval takes effect
/// on a wait in progress.
#[derive(Debug)]
pub(super) struct Schedule {
    since: Instant,
    wait: Wait,
}

#[derive(Debug)]
enum Wait {
    /// No wait.
    None,
    /// A multiple of the interval.
    Interval(f64),
    /// A fixed time, independent of the interval.
    Fixed(Duration),
}

impl Schedule {
    pub(super) fn now() -> Self {
        Self { since: Instant::now(), wait: Wait::None }
    }

    /// Schedules the pass after a success.
    pub(super) fn steady(share: f64) -> Self {
        Self { since: Instant::now(), wait: Wait::Interval(share) }
    }

    /// Schedules the pass after a failure.
    pub(super) fn after(wait: Duration) -> Self {
        Self { since: Instant::now(), wait: Wait::Fixed(wait) }
    }

    /// Returns the due time, or `None` when passes run on request only.
    pub(super) fn due(&self, cadence: Cadence) -> Option<Instant> {
        let wait = match (cadence, &self.wait) {
            (Cadence::OnDemand, _) => return None,
            (_, Wait::None) | (Cadence::Waits, Wait::Interval(_)) => Duration::ZERO,
            (Cadence::Every(interval), Wait::Interval(share)) => interval.mul_f64(*share),
            (_, Wait::Fixed(wait)) => *wait,
        };
        Some(self.since + wait)
    }
}
