//! The backoff: waits after failures, with a doubling bound and jitter.

use std::time::Duration;

/// The waits after failures in a row. The bound doubles with each failure up to a cap, and the wait is random below
/// the bound (full jitter), so that gateways that failed together do not retry together.
#[derive(Debug)]
pub(crate) struct Backoff {
    failures: u32,
    random: fastrand::Rng,
}

/// The bound of the first wait.
pub(crate) const FIRST: Duration = Duration::from_secs(1);
/// The highest bound.
pub(crate) const CAP: Duration = Duration::from_secs(300);
/// The longest wait that a `Retry-After` can demand.
const LONGEST: Duration = Duration::from_secs(24 * 3600);
/// The shortest wait.
const SHORTEST: Duration = Duration::from_millis(100);

impl Backoff {
    pub(crate) fn new(random: fastrand::Rng) -> Self {
        Self { failures: 0, random }
    }

    /// The bound after this many failures in a row, from 1: the cap is applied before anything is drawn.
    pub(crate) fn bound(failures: u32) -> Duration {
        let doubled = FIRST.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1)));
        doubled.min(CAP)
    }

    /// Returns the wait after one more failure. It is at least `retry_after` (up to [`LONGEST`]), plus up to a tenth of
    /// jitter.
    pub(crate) fn failed(&mut self, retry_after: Option<Duration>) -> Duration {
        self.failures = self.failures.saturating_add(1);
        let drawn = Self::bound(self.failures).mul_f64(self.random.f64()).max(SHORTEST);
        let asked = retry_after.map(|wait| wait.min(LONGEST).mul_f64(self.random.f64().mul_add(0.1, 1.0)));
        drawn.max(asked.unwrap_or_default())
    }

    /// Returns the number of failures in a row.
    pub(crate) fn failures(&self) -> u32 {
        self.failures
    }

    pub(crate) fn succeeded(&mut self) {
        self.failures = 0;
    }

    /// Returns the factor of jitter for a steady interval: 0.9 to 1.1.
    pub(crate) fn spread(&mut self) -> f64 {
        self.random.f64().mul_add(0.2, 0.9)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_random_below_a_capped_bound() {
        for (failures, seconds) in [(1, 1), (2, 2), (5, 16), (9, 256), (10, 300), (4_000_000_000, 300)] {
            assert_eq!(Backoff::bound(failures), Duration::from_secs(seconds), "{failures}");
        }
        let mut low = 0;
        for seed in 0..1_000 {
            let mut backoff = Backoff::new(fastrand::Rng::with_seed(seed));
            for failures in 1..=12 {
                assert!(backoff.failed(None) <= Backoff::bound(failures));
            }
            low += u32::from(backoff.failed(None) < CAP / 2);
        }
        // The cap comes before the draw: the waits at the cap are spread below it, not piled up on it.
        assert!((400..600).contains(&low), "{low} of 1000 below half of the cap");
    }

    #[test]
    fn retry_after_is_the_least_wait() {
        let asked = Duration::from_secs(120);
        let waits: Vec<Duration> =
            (0..100).map(|seed| Backoff::new(fastrand::Rng::with_seed(seed)).failed(Some(asked))).collect();
        assert!(waits.iter().all(|wait| *wait >= asked && *wait <= asked.mul_f64(1.1)));
        assert!(waits.iter().any(|wait| *wait != waits[0]));
    }

    #[test]
    fn retry_after_is_capped_at_a_day() {
        for asked in [LONGEST * 2, Duration::from_secs(u64::MAX), Duration::MAX] {
            let wait = Backoff::new(fastrand::Rng::with_seed(7)).failed(Some(asked));
            assert!(wait >= LONGEST && wait <= LONGEST.mul_f64(1.1), "{wait:?}");
        }
    }
}
