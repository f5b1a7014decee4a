use std::time::Duration;

use provider_api::Cadence;
use tokio::time::Instant;

/// When the next round is due. Kept apart from the interval, so that an edit of the interval takes effect on
/// the wait that is under way.
#[derive(Debug)]
pub(super) struct Schedule {
    since: Instant,
    wait: Wait,
}

#[derive(Debug)]
enum Wait {
    /// Nothing to wait for.
    None,
    /// This share of the interval.
    Interval(f64),
    /// A time of its own, whatever the interval is.
    Fixed(Duration),
}

impl Schedule {
    pub(super) fn now() -> Self {
        Self { since: Instant::now(), wait: Wait::None }
    }

    /// After a good round.
    pub(super) fn steady(share: f64) -> Self {
        Self { since: Instant::now(), wait: Wait::Interval(share) }
    }

    /// After a bad one.
    pub(super) fn after(wait: Duration) -> Self {
        Self { since: Instant::now(), wait: Wait::Fixed(wait) }
    }

    /// `None` when only somebody who asks starts a round.
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
