//! The schedule of the sync passes.

use std::time::Duration;

use provider_api::Cadence;
use tokio::time::Instant;

use crate::sync::question::PACE;

/// The time of the next pass. It is computed from the current interval, so that an edit of the interval takes effect
/// on a wait in progress.
#[derive(Debug)]
pub(super) struct Schedule {
    since: Instant,
    /// The beginning of the last question.
    asked: Option<Instant>,
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
        Self { since: Instant::now(), asked: None, wait: Wait::None }
    }

    /// Schedules the pass after a success of the one that began at `asked`.
    pub(super) fn steady(share: f64, asked: Instant) -> Self {
        Self { since: Instant::now(), asked: Some(asked), wait: Wait::Interval(share) }
    }

    /// Schedules the pass after a failure.
    pub(super) fn after(wait: Duration) -> Self {
        Self { since: Instant::now(), asked: None, wait: Wait::Fixed(wait) }
    }

    /// Returns the due time, or `None` when passes run on request only. A source that waits is asked again when it has
    /// answered, but not more often than once in [`PACE`].
    pub(super) fn due(&self, cadence: Cadence) -> Option<Instant> {
        let wait = match (cadence, &self.wait) {
            (Cadence::OnDemand, _) => return None,
            (_, Wait::None) | (Cadence::Waits, Wait::Interval(_)) => Duration::ZERO,
            (Cadence::Every(interval), Wait::Interval(share)) => interval.mul_f64(*share),
            (_, Wait::Fixed(wait)) => *wait,
        };
        let due = self.since + wait;
        let earliest = self.asked.filter(|_| cadence == Cadence::Waits).map(|asked| asked + PACE);
        Some(earliest.map_or(due, |earliest| due.max(earliest)))
    }
}
