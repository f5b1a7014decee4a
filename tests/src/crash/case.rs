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

/// Every point, at each of its times, under everything that the network does.
pub fn matrix(seed: u64) -> Vec<Case> {
    let once = KILLS
        .iter()
        .flat_map(|(point, times)| times.iter().map(move |time| (Kill { point, time: *time }, None)));
    let twice = TWICE.into_iter().map(|(point, second)| (Kill::first(point), Some(second)));
    let kills: Vec<_> = once.chain(twice).collect();
    let with = |wire: Wire| kills.iter().map(move |&(first, second)| Case { first, second, wire, seed });
    Wire::ALL.into_iter().flat_map(with).collect()
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
