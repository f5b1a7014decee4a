//! A count of the events of the last minutes.

use std::time::Duration;

use tokio::time::Instant;

/// The time for which an event counts.
pub(crate) const WINDOW: Duration = Duration::from_secs(300);

/// The parts of the window. A count drops its oldest part as a whole, so it covers at least 9 of the 10 parts.
const PARTS: usize = 10;

const PART: Duration = Duration::from_secs(WINDOW.as_secs() / PARTS as u64);

/// The number of events in the window.
#[derive(Clone, Debug)]
pub(super) struct Recent {
    /// The events by part, the newest part first.
    parts: [u64; PARTS],
    /// The start of the newest part.
    newest: Instant,
    pub(super) last: Instant,
}

impl Recent {
    /// Creates a count of no events.
    pub(super) fn new() -> Self {
        let now = Instant::now();
        Self { parts: [0; PARTS], newest: now, last: now }
    }

    /// Counts an event.
    pub(super) fn add(&mut self) {
        let now = Instant::now();
        let passed = self.passed(now);
        self.parts.rotate_right(passed);
        self.parts.iter_mut().take(passed).for_each(|part| *part = 0);
        self.newest = match passed {
            PARTS => now,
            _ => self.newest + PART.saturating_mul(u32::try_from(passed).unwrap_or_default()),
        };
        if let Some(newest) = self.parts.first_mut() {
            *newest += 1;
        }
        self.last = now;
    }

    /// Returns the number of events in the window.
    pub(super) fn count(&self) -> u64 {
        let left = PARTS - self.passed(Instant::now());
        self.parts.iter().take(left).sum()
    }

    /// Returns the number of parts that began since the newest one, at most [`PARTS`].
    fn passed(&self, now: Instant) -> usize {
        let parts = now.saturating_duration_since(self.newest).as_secs() / PART.as_secs();
        usize::try_from(parts).map_or(PARTS, |parts| parts.min(PARTS))
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_event_counts_for_5_minutes() {
        let mut recent = Recent::new();
        recent.add();
        advance(Duration::from_secs(200)).await;
        recent.add();
        recent.add();
        assert_eq!(recent.count(), 3);
        advance(Duration::from_secs(101)).await;
        assert_eq!(recent.count(), 2, "the first one is older than 5 minutes");
        recent.add();
        assert_eq!(recent.count(), 3);
        advance(WINDOW).await;
        assert_eq!(recent.count(), 0);
        recent.add();
        assert_eq!(recent.count(), 1);
    }
}
