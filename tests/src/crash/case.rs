//! The cases of the crash matrix: every failpoint on every kind of network.

use std::collections::BTreeSet;
use std::fmt;

use super::kill::{EXCHANGES, KILLS, Kill, TWICE};
use super::network::Network;
use crate::Mount;

/// A run: the failpoint of the first process, that of the second, and the faults of the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Case {
    /// The failpoint that kills the first process.
    pub first: Kill,
    /// The failpoint that kills the second process, if any.
    pub second: Option<Kill>,
    /// The faults of the network during the whole run.
    pub network: Network,
    /// The way in which the gateway sees its configuration: writable, or read-only with an overlay.
    pub mount: Mount,
    /// The order of the changes: 0 is the order of the list, any other number shuffles it.
    pub seed: u64,
}

/// Returns every failpoint at each of its occurrences, on every kind of network.
///
/// A seed other than 0 draws the occurrences at random, up to the last one of each failpoint.
pub fn matrix(seed: u64) -> Vec<Case> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut all = Vec::new();
    for network in Network::ALL {
        for (point, occurrences) in KILLS {
            let last = occurrences.last().copied().unwrap_or(1);
            let drawn = occurrences
                .iter()
                .map(|occurrence| if seed == 0 { *occurrence } else { random.u32(1..=last) });
            // The change whose acknowledgement is lost may be the guilty one: then nothing is left to be halved.
            let most = if network == Network::LostAcknowledge && point == "tried" { 2 } else { last };
            let occurrences: BTreeSet<u32> = drawn.map(|occurrence| occurrence.min(most)).collect();
            all.extend(occurrences.into_iter().map(|occurrence| (network, Kill { point, occurrence }, None)));
        }
        all.extend(TWICE.map(|(point, second)| (network, Kill::first(point), Some(second))));
    }
    let case = |(network, first, second)| Case { first, second, network, mount: Mount::Writable, seed };
    all.into_iter().map(case).collect()
}

/// Returns the same cases with a configuration that is mounted read-only, without those that need a replaced file.
pub fn read_only(cases: Vec<Case>) -> Vec<Case> {
    let reached = cases.into_iter().filter(|case| !EXCHANGES.contains(&case.first.point));
    reached.map(|case| Case { mount: Mount::ReadOnly, ..case }).collect()
}

/// Returns every failpoint once, at its last occurrence, with the networks in turn; and one case with two kills.
pub fn sample() -> Vec<Case> {
    let once = KILLS.iter().map(|(point, occurrences)| {
        let occurrence = occurrences.last().copied().unwrap_or(1);
        (Kill { point, occurrence }, None)
    });
    let (point, second) = TWICE[1];
    let all = once.chain([(Kill::first(point), Some(second))]);
    all.zip(Network::ALL.into_iter().cycle())
        .map(|((first, second), network)| Case { first, second, network, mount: Mount::Writable, seed: 0 })
        .collect()
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.mount == Mount::ReadOnly {
            f.write_str("read-only ")?;
        }
        write!(f, "{} {}", self.network, self.first)?;
        self.second.map_or(Ok(()), |second| write!(f, " {second}"))
    }
}
