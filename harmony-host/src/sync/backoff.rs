use std::time::Duration;

/// How long to wait after something failed: the bound doubles from failure to failure up to a cap, and the
/// wait is anywhere below the bound, so that gateways that failed together do not come back together.
#[derive(Debug)]
pub(crate) struct Backoff {
    failures: u32,
    random: fastrand::Rng,
}

/// The bound of the first wait.
pub(crate) const FIRST: Duration = Duration::from_secs(1);
/// The highest bound.
pub(crate) const CAP: Duration = Duration::from_secs(300);
/// The longest wait that the other side can ask for: whoever asks for more is asked again after a day.
const LONGEST: Duration = Duration::from_secs(24 * 3600);
/// No wait is shorter.
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

    /// The wait after one more failure. What the other side asked for is the least, and somewhat more is waited,
    /// so that not everybody comes back at that moment.
    pub(crate) fn failed(&mut self, retry_after: Option<Duration>) -> Duration {
        self.failures = self.failures.saturating_add(1);
        let drawn = Self::bound(self.failures).mul_f64(self.random.f64()).max(SHORTEST);
        let asked = retry_after.map(|wait| wait.min(LONGEST).mul_f64(self.random.f64().mul_add(0.1, 1.0)));
        drawn.max(asked.unwrap_or_default())
    }

    /// How many failures in a row there were.
    pub(crate) fn failures(&self) -> u32 {
        self.failures
    }

    pub(crate) fn succeeded(&mut self) {
        self.failures = 0;
    }

    /// A steady interval, a tenth shorter to a tenth longer.
    pub(crate) fn spread(&mut self) -> f64 {
        self.random.f64().mul_add(0.2, 0.9)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_spread_below_a_bound_that_doubles_up_to_the_cap() {
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
    fn what_the_other_side_asked_for_is_the_least_and_is_spread() {
        let asked = Duration::from_secs(120);
        let waits: Vec<Duration> =
            (0..100).map(|seed| Backoff::new(fastrand::Rng::with_seed(seed)).failed(Some(asked))).collect();
        assert!(waits.iter().all(|wait| *wait >= asked && *wait <= asked.mul_f64(1.1)));
        assert!(waits.iter().any(|wait| *wait != waits[0]));
    }

    #[test]
    fn nobody_can_ask_for_more_than_a_day() {
        for asked in [LONGEST * 2, Duration::from_secs(u64::MAX), Duration::MAX] {
            let wait = Backoff::new(fastrand::Rng::with_seed(7)).failed(Some(asked));
            assert!(wait >= LONGEST && wait <= LONGEST.mul_f64(1.1), "{wait:?}");
        }
    }
}
