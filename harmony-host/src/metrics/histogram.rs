//! Histograms of durations, as classic histograms of Prometheus have them.

use std::time::Duration;

use crate::metrics::counter::Counter;

/// The number of finite buckets.
const FINITE: usize = 15;

/// The upper bounds of the finite buckets, in seconds. The same for all pipelines, so that they can be added up.
pub(crate) const BOUNDS: [f64; FINITE] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];

/// The same, in microseconds.
const MICROS: [u64; FINITE] = [
    1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000,
    10_000_000, 30_000_000, 60_000_000,
];

/// A histogram of durations.
#[derive(Debug, Default)]
pub(crate) struct Histogram {
    /// The last one is that of the durations above all bounds.
    buckets: [Counter; FINITE + 1],
    /// The sum in nanoseconds: it fits for 584 years.
    nanos: Counter,
}

/// The totals of histograms with the same buckets.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Totals {
    /// Per bucket, not cumulative. The last one is that of the durations above all bounds.
    pub(crate) buckets: [u64; FINITE + 1],
    pub(crate) seconds: f64,
}

impl Histogram {
    /// Adds a duration.
    pub(crate) fn observe(&self, duration: Duration) {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        // Most requests are in one of the first buckets.
        let bucket = MICROS.iter().position(|bound| micros <= *bound).unwrap_or(FINITE);
        if let Some(bucket) = self.buckets.get(bucket) {
            bucket.inc();
        }
        self.nanos.add(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX));
    }

    /// Adds the counts to the totals.
    pub(crate) fn add_to(&self, totals: &mut Totals) {
        for (total, bucket) in totals.buckets.iter_mut().zip(&self.buckets) {
            *total += bucket.get();
        }
        totals.seconds += Duration::from_nanos(self.nanos.get()).as_secs_f64();
    }
}

impl Totals {
    /// Returns the number of durations.
    pub(crate) fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// Returns the buckets with their upper bounds, as the encoder wants them: not cumulative, the last without a bound.
    pub(crate) fn with_bounds(&self) -> Vec<(f64, u64)> {
        BOUNDS.into_iter().chain([f64::INFINITY]).zip(self.buckets).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_belongs_to_its_bucket() {
        for (at, bound) in BOUNDS.into_iter().enumerate() {
            assert_eq!(Duration::from_secs_f64(bound).as_micros(), u128::from(MICROS[at]));
            for (more, bucket) in [(0, at), (1, at + 1)] {
                let histogram = Histogram::default();
                histogram.observe(Duration::from_micros(MICROS[at] + more));
                let mut totals = Totals::default();
                histogram.add_to(&mut totals);
                assert_eq!((totals.count(), totals.buckets[bucket]), (1, 1), "{bound} {more}");
            }
        }
    }

    #[test]
    fn the_sum_is_that_of_the_durations() {
        let histogram = Histogram::default();
        (1..=1000).for_each(|micros| histogram.observe(Duration::from_micros(micros)));
        let mut totals = Totals::default();
        histogram.add_to(&mut totals);
        assert!((totals.seconds - 0.5005).abs() < 1e-9, "{totals:?}");
    }
}
