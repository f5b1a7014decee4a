//! The states that a power cut may leave after a prefix of the operations.

use std::collections::HashMap;

use super::disk::{Disk, Fate};

/// The most states of a prefix that are tried all.
const ALL: usize = 256;

/// The number of sampled states of a prefix that has more.
const SAMPLED: usize = 192;

/// Returns the fates of the pending operations in each state to try. Of many states: all kept, all lost, each one lost or
/// torn alone, each one kept alone, and a sample.
pub(super) fn states(disk: &Disk, prefix: usize, random: &mut fastrand::Rng) -> Vec<HashMap<usize, Fate>> {
    let pending = disk.pending(prefix);
    let count = pending.iter().try_fold(1_usize, |count, (_, fates)| count.checked_mul(fates.len()));
    if count.is_some_and(|count| count <= ALL) {
        return pending.iter().fold(vec![HashMap::new()], |states, (at, fates)| {
            let with = |state: &HashMap<usize, Fate>| -> Vec<_> {
                fates
                    .iter()
                    .map(|fate| state.iter().map(|(k, v)| (*k, *v)).chain([(*at, *fate)]).collect())
                    .collect()
            };
            states.iter().flat_map(with).collect()
        });
    }
    let every = |fate: Fate| -> HashMap<usize, Fate> { pending.iter().map(|(at, _)| (*at, fate)).collect() };
    let mut states = vec![every(Fate::Kept), every(Fate::Lost)];
    for (at, fates) in &pending {
        for fate in &fates[1..] {
            states.push(every(Fate::Kept).into_iter().chain([(*at, *fate)]).collect());
        }
        states.push(every(Fate::Lost).into_iter().chain([(*at, Fate::Kept)]).collect());
    }
    for _ in 0..SAMPLED {
        states.push(pending.iter().map(|(at, fates)| (*at, fates[random.usize(..fates.len())])).collect());
    }
    states
}
