use std::collections::BTreeSet;
use std::fmt;

use super::kill::{KILLS, Kill, TWICE};
use super::wire::Wire;

/// One run: where the process is ended, where the one that follows it is, and what the network does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Case {
    /// Where the first process is ended.
    pub first: Kill,
    /// Where the second is.
    pub second: Option<Kill>,
    /// What the network does all the time.
    pub wire: Wire,
    /// In which order the changes are made: 0 as they are written down, any other number shuffles them.
    pub seed: u64,
}

/// Every point, at each of its times, under everything that the network does. With a seed that is not 0, the times are
/// drawn anew, none later than the last.
pub fn matrix(seed: u64) -> Vec<Case> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut all = Vec::new();
    for wire in Wire::ALL {
        for (point, times) in KILLS {
            let last = times.last().copied().unwrap_or(1);
            let drawn = times.iter().map(|time| if seed == 0 { *time } else { random.u32(1..=last) });
            let times: BTreeSet<u32> = drawn.collect();
            all.extend(times.into_iter().map(|time| (wire, Kill { point, time }, None)));
        }
        all.extend(TWICE.map(|(point, second)| (wire, Kill::first(point), Some(second))));
    }
    all.into_iter().map(|(wire, first, second)| Case { first, second, wire, seed }).collect()
}

/// Every point once, at its last time, the network doing one thing after the other; and one that is ended twice.
pub fn sample() -> Vec<Case> {
    let once = KILLS.iter().map(|(point, times)| {
        let time = times.last().copied().unwrap_or(1);
        (Kill { point, time }, None)
    });
    let (point, second) = TWICE[1];
    let all = once.chain([(Kill::first(point), Some(second))]);
    all.zip(Wire::ALL.into_iter().cycle())
        .map(|((first, second), wire)| Case { first, second, wire, seed: 0 })
        .collect()
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.wire, self.first)?;
        self.second.map_or(Ok(()), |second| write!(f, " {second}"))
    }
}
