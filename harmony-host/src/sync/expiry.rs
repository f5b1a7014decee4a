//! Log lines before the machine token ends: 7 days, 1 day and 1 hour ahead.

use std::time::{Duration, SystemTime};

use crate::status::timestamp;

/// The times before the end at which a line is logged, and the words for them.
const AHEAD: [(Duration, &str); 3] = [
    (Duration::from_secs(7 * 24 * 3600), "7 days"),
    (Duration::from_secs(24 * 3600), "1 day"),
    (Duration::from_secs(3600), "1 hour"),
];

/// The longest wait between two looks at the wall clock, which may be set meanwhile.
const LOOK: Duration = Duration::from_secs(3600);

/// The lines that were logged about one end.
#[derive(Debug, Default)]
pub(super) struct ExpiryWarnings {
    end: Option<SystemTime>,
    /// The number of lines of [`AHEAD`] that are logged or skipped.
    logged: usize,
}

impl ExpiryWarnings {
    /// Logs what is due about a credential of `provider` that ends at `end`. Returns the wait until the next look.
    pub(super) fn look(&mut self, provider: &str, end: Option<SystemTime>, now: SystemTime) -> Duration {
        if self.end != end {
            *self = Self { end, logged: 0 };
        }
        let Some(end) = end else { return LOOK };
        let left = end.duration_since(now).unwrap_or_default();
        let due = AHEAD.iter().take_while(|(ahead, _)| left <= *ahead).count();
        if due > self.logged && !left.is_zero() {
            self.logged = due;
            let (_, words) = AHEAD[due - 1];
            tracing::warn!(
                provider,
                expires_at = %timestamp(end),
                "the machine token of this gateway ends in less than {words}; authorize the gateway again"
            );
        }
        let next = AHEAD.get(self.logged).map(|(ahead, _)| left.saturating_sub(*ahead));
        next.unwrap_or(LOOK).clamp(Duration::from_secs(1), LOOK)
    }
}
