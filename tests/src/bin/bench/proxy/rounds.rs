//! Rounds of measurements, and medians over them.

use super::target::Target;
use crate::Outcome;
use crate::statistics::median;

/// The samples of each round, in the order of the targets.
#[derive(Debug)]
pub(super) struct Rounds<S>(Vec<Vec<S>>);

impl<S> Rounds<S> {
    /// Measures the targets in turn, round by round, so that a drift of the machine affects all of them equally.
    /// A round with a failure has no ratios and is left out.
    pub(super) async fn measure(
        rounds: u32,
        title: &str,
        targets: &[Target<'_>],
        failures: &mut Vec<String>,
        measure: impl AsyncFn(&Target<'_>) -> Outcome<S>,
    ) -> Self {
        let mut all = Vec::new();
        for _ in 0..rounds {
            let mut round = Vec::new();
            for target in targets {
                match measure(target).await {
                    Ok(sample) => round.push(sample),
                    Err(error) => failures.push(format!("{title}, {}: {error}", target.name)),
                }
            }
            if round.len() == targets.len() {
                all.push(round);
            }
        }
        Self(all)
    }

    /// Returns true if no round was without a failure.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The median of a value of target `n`.
    pub(super) fn median(&self, n: usize, value: impl Fn(&S) -> f64) -> f64 {
        median(self.0.iter().map(|round| value(&round[n])))
    }

    /// The median of the ratios of target `n` to target `base` in the same round.
    pub(super) fn ratio(&self, n: usize, base: usize, value: impl Fn(&S) -> f64) -> f64 {
        median(self.0.iter().map(|round| value(&round[n]) / value(&round[base])))
    }
}
