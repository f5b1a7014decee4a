use std::time::Duration;

use fastrand::Rng;

use super::mishap::{Heard, Mishap};

/// Mishaps by chance, for tests that run long.
///
/// The same seed gives the same mishaps; which request meets with which depends on the order in which they come. None
/// of them keeps a client waiting for good.
#[derive(Clone, Debug)]
pub struct Weather {
    chance: Rng,
    share: f64,
}

/// The longest delay, in milliseconds.
const LONGEST: u64 = 50;

impl Weather {
    /// Mishaps to every third request or so.
    pub fn seeded(seed: u64) -> Self {
        Self { chance: Rng::with_seed(seed), share: 0.33 }
    }

    /// Mishaps to this share of the requests, from 0 to 1.
    #[must_use]
    pub fn striking(mut self, share: f64) -> Self {
        self.share = share;
        self
    }

    /// What the next request meets with.
    pub(super) fn next(&mut self) -> Option<Mishap> {
        let strikes = self.chance.f64() < self.share;
        let delay = Duration::from_millis(self.chance.u64(1..=LONGEST));
        let mishap = match self.chance.u8(0..12) {
            0 => Mishap::Delay(delay),
            1 => Mishap::DelayAnswer(delay),
            2 => Mishap::Cut,
            3 => Mishap::LoseAnswer,
            4 => Mishap::HalfHeaders,
            5 => Mishap::HalfBody,
            6 => Mishap::Truncate,
            7 => Mishap::Twice(Heard::First),
            8 => Mishap::Twice(Heard::Second),
            9 => Mishap::Reverse,
            10 => Mishap::Shuffle(self.chance.u64(..)),
            _ => Mishap::Repeat,
        };
        strikes.then_some(mishap)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn days(weather: Weather, count: usize) -> Vec<Option<Mishap>> {
        let mut weather = weather;
        (0..count).map(|_| weather.next()).collect()
    }

    #[test]
    fn the_same_seed_gives_the_same_mishaps_and_another_gives_others() {
        assert_eq!(days(Weather::seeded(7), 100), days(Weather::seeded(7), 100));
        assert_ne!(days(Weather::seeded(7), 100), days(Weather::seeded(8), 100));
    }

    #[test]
    fn every_kind_comes_and_as_often_as_it_was_told_to() {
        let all = days(Weather::seeded(1), 3_000);
        let kinds: HashSet<_> = all.iter().flatten().map(std::mem::discriminant).collect();
        assert_eq!(kinds.len(), 11, "all but silence");
        assert!((900..1_100).contains(&all.iter().flatten().count()));
        assert!(days(Weather::seeded(1).striking(0.0), 100).iter().all(Option::is_none));
        assert!(days(Weather::seeded(1).striking(1.0), 100).iter().all(Option::is_some));
    }
}
