//! The sample: the share of the new traces that is recorded.

/// The random bits of a trace id that decide: the last 56, as the samplers of OpenTelemetry use them, so that a service with
/// the same ratio takes the same traces.
const BITS: u32 = 56;

/// The share of the traces begun by the gateway that is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sample {
    /// The least random number of a trace that is taken. An integer: the bits are more than those of a float.
    least: u64,
}

impl Sample {
    /// Creates a sample from a ratio; `None` unless it is from 0 to 1.
    pub(crate) fn new(ratio: f64) -> Option<Self> {
        let size = 2f64.powi(BITS as i32);
        (0.0..=1.0).contains(&ratio).then_some(Self { least: ((1.0 - ratio) * size) as u64 })
    }

    /// Returns whether a trace is in the sample.
    pub(super) fn takes(self, trace_id: &str) -> bool {
        let digits = trace_id.len().checked_sub(BITS as usize / 4).and_then(|at| trace_id.get(at..));
        let random = digits.and_then(|digits| u64::from_str_radix(digits, 16).ok());
        random.is_some_and(|random| random >= self.least)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_takes_its_share() {
        let ids: Vec<String> = (0..4000).map(|_| format!("{:032x}", fastrand::u128(..))).collect();
        let taken = |ratio| {
            let sample = Sample::new(ratio).unwrap();
            ids.iter().filter(|id| sample.takes(id)).count()
        };
        assert_eq!((taken(0.0), taken(1.0)), (0, 4000));
        assert!((800..1200).contains(&taken(0.25)), "{}", taken(0.25));
    }

    /// The consistent sampling of OpenTelemetry: taken if the random part is at least 1 - ratio.
    #[test]
    fn the_last_56_bits_decide() {
        let half = Sample::new(0.5).unwrap();
        assert!(half.takes("ffffffffffffffffff80000000000000"));
        assert!(!half.takes("ffffffffffffffffff7fffffffffffff"));
        assert!(Sample::new(1.0).unwrap().takes("00000000000000010000000000000001"));
    }

    #[test]
    fn other_ratios_are_none() {
        for ratio in [-0.1, 1.1, f64::NAN, f64::INFINITY] {
            assert_eq!(Sample::new(ratio), None);
        }
    }
}
