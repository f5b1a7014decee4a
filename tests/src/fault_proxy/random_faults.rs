//! Random network faults, for tests that run long.

use std::time::Duration;

use fastrand::Rng;

use super::network_fault::{ForwardedResponse, NetworkFault};

/// A reproducible sequence of random faults.
///
/// The same seed gives the same sequence; the order of the requests decides which request gets which fault. No fault
/// keeps a client waiting forever.
#[derive(Clone, Debug)]
pub struct RandomFaults {
    rng: Rng,
    probability: f64,
}

/// The longest delay, in milliseconds.
const MAX_DELAY_MILLIS: u64 = 50;

impl RandomFaults {
    /// Injects a fault into about one request in three.
    pub fn seeded(seed: u64) -> Self {
        Self { rng: Rng::with_seed(seed), probability: 0.33 }
    }

    /// Sets the probability of a fault per request, from 0 to 1.
    #[must_use]
    pub fn with_probability(mut self, probability: f64) -> Self {
        self.probability = probability;
        self
    }

    /// Returns the fault for the next request, if any.
    pub(super) fn next(&mut self) -> Option<NetworkFault> {
        let is_hit = self.rng.f64() < self.probability;
        let delay = Duration::from_millis(self.rng.u64(1..=MAX_DELAY_MILLIS));
        let fault = match self.rng.u8(0..12) {
            0 => NetworkFault::Delay(delay),
            1 => NetworkFault::DelayResponse(delay),
            2 => NetworkFault::Cut,
            3 => NetworkFault::LoseResponse,
            4 => NetworkFault::HalfHeaders,
            5 => NetworkFault::HalfBody,
            6 => NetworkFault::Truncate,
            7 => NetworkFault::Duplicate(ForwardedResponse::First),
            8 => NetworkFault::Duplicate(ForwardedResponse::Second),
            9 => NetworkFault::Reverse,
            10 => NetworkFault::Shuffle(self.rng.u64(..)),
            _ => NetworkFault::DuplicateEntries,
        };
        is_hit.then_some(fault)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn take(faults: RandomFaults, count: usize) -> Vec<Option<NetworkFault>> {
        let mut faults = faults;
        (0..count).map(|_| faults.next()).collect()
    }

    #[test]
    fn a_seed_determines_the_faults() {
        assert_eq!(take(RandomFaults::seeded(7), 100), take(RandomFaults::seeded(7), 100));
        assert_ne!(take(RandomFaults::seeded(7), 100), take(RandomFaults::seeded(8), 100));
    }

    #[test]
    fn every_kind_occurs_at_the_given_rate() {
        let all = take(RandomFaults::seeded(1), 3_000);
        let kinds: HashSet<_> = all.iter().flatten().map(std::mem::discriminant).collect();
        assert_eq!(kinds.len(), 11, "all but silence");
        assert!((900..1_100).contains(&all.iter().flatten().count()));
        assert!(take(RandomFaults::seeded(1).with_probability(0.0), 100).iter().all(Option::is_none));
        assert!(take(RandomFaults::seeded(1).with_probability(1.0), 100).iter().all(Option::is_some));
    }
}
