//! The changes of a group that are valid together. When the whole is refused, the guilty are found by halving.

use std::sync::Arc;

use crate::apply::Pulse;
use crate::apply::candidate::{Builder, Proposal};
use crate::diagnostics::rejection::Rejection;
use crate::snapshot::Snapshot;
use crate::storage::digest::Digest;
use crate::storage::failpoints::kill;

/// The limit of steps by which a change and those that it clashes with become one unit.
const GROWTH: usize = 8;

/// The result of the search.
pub(super) struct Selection {
    /// The changes that are valid together, and their snapshot; `None` without any.
    pub(super) accepted: Vec<Arc<Proposal>>,
    pub(super) snapshot: Option<Arc<Snapshot>>,
    pub(super) rejected: Vec<Rejected>,
}

/// A change that is not valid on top of the others.
pub(super) struct Rejected {
    pub(super) proposal: Arc<Proposal>,
    pub(super) rejection: Rejection,
    /// The digest of the configuration that it was tried with.
    pub(super) against: Digest,
    /// The number of changes that were accepted before.
    after: usize,
}

/// The state of a search.
struct Search<'b> {
    builder: &'b Builder,
    pulse: &'b Pulse,
    accepted: Vec<Arc<Proposal>>,
    snapshot: Option<Arc<Snapshot>>,
    rejected: Vec<Rejected>,
    /// The number of candidates that were built.
    candidates: usize,
    /// The sets that are still to be decided, the next one last.
    open: Vec<Vec<Arc<Proposal>>>,
}

/// Finds the changes that are valid together. `proposals` are in the order in which they depend on each other.
///
/// The whole is tried first. If it is refused, those that its problems do not point at are tried, then the others; without
/// such a hint, the first half and then the second. A change that is refused alone is tried once more together with those
/// whose files its problems mention, since two changes may be valid only together, such as two pipelines that swap their
/// paths. One guilty change among a thousand is found with 3 candidates, or with 21 when no problem points at it.
pub(super) async fn select(builder: &Builder, pulse: &Pulse, proposals: Vec<Arc<Proposal>>) -> Selection {
    let changes = proposals.len();
    let mut search = Search {
        builder,
        pulse,
        accepted: Vec::new(),
        snapshot: None,
        rejected: Vec::new(),
        candidates: 0,
        open: vec![proposals],
    };
    while let Some(set) = search.open.pop() {
        search.decide(set).await;
    }
    search.look_again().await;
    let Search { accepted, snapshot, rejected, candidates, .. } = search;
    if changes > 1 {
        tracing::info!(changes, rejected = rejected.len(), candidates, "changes were tried together");
    }
    Selection { accepted, snapshot, rejected }
}

/// Splits a set by the places of the problems, or else in halves. Returns the part to try first.
pub(super) fn split(
    set: Vec<Arc<Proposal>>,
    rejection: &Rejection,
) -> (Vec<Arc<Proposal>>, Vec<Arc<Proposal>>) {
    let (named, others): (Vec<_>, Vec<_>) =
        set.iter().cloned().partition(|proposal| proposal.is_in(rejection));
    if !named.is_empty() && !others.is_empty() {
        return (others, named);
    }
    let mut first = set;
    let second = first.split_off(first.len().div_ceil(2));
    (first, second)
}

impl Search<'_> {
    async fn decide(&mut self, set: Vec<Arc<Proposal>>) {
        match (self.attempt(&set).await, set.as_slice()) {
            (Ok(()), _) | (Err(_), []) => {}
            (Err(rejection), [only]) => {
                if !self.accept_with_partners(only, &rejection).await {
                    self.reject(Arc::clone(only), rejection);
                }
            }
            (Err(rejection), _) => {
                let (first, second) = split(set, &rejection);
                self.open.extend([second, first]);
            }
        }
    }

    /// Accepts `set` if it is valid on top of what was accepted.
    async fn attempt(&mut self, set: &[Arc<Proposal>]) -> Result<(), Rejection> {
        if set.is_empty() {
            return Ok(());
        }
        let all: Vec<_> = self.accepted.iter().chain(set).cloned().collect();
        self.candidates += 1;
        self.pulse.beat();
        let built = self.builder.build(&all).await;
        kill("tried");
        self.snapshot = Some(built?);
        self.accepted = all;
        Ok(())
    }

    /// Tries a change as one unit with the undecided changes whose files its problems mention, and theirs.
    async fn accept_with_partners(&mut self, only: &Arc<Proposal>, rejection: &Rejection) -> bool {
        let (mut unit, mut rejection) = (vec![Arc::clone(only)], rejection.clone());
        for _ in 0..GROWTH {
            let open = self.open.iter().flatten();
            let partner = |other: &&Arc<Proposal>| {
                !unit.iter().any(|known| Arc::ptr_eq(known, other)) && other.is_mentioned_in(&rejection)
            };
            let more: Vec<Arc<Proposal>> = open.filter(partner).cloned().collect();
            if more.is_empty() {
                return false;
            }
            unit.extend(more);
            match self.attempt(&unit).await {
                Ok(()) => {
                    for set in &mut self.open {
                        set.retain(|other| !unit.iter().any(|taken| Arc::ptr_eq(taken, other)));
                    }
                    return true;
                }
                Err(next) => rejection = next,
            }
        }
        false
    }

    fn reject(&mut self, proposal: Arc<Proposal>, rejection: Rejection) {
        let base = self.snapshot.as_ref().unwrap_or_else(|| self.builder.served());
        let (against, after) = (base.documents.digest(), self.accepted.len());
        self.rejected.push(Rejected { proposal, rejection, against, after });
    }

    /// Tries the rejected changes again on top of what was accepted after them: one of those may be what they need.
    async fn look_again(&mut self) {
        let rejected = std::mem::take(&mut self.rejected);
        for earlier in rejected {
            if earlier.after == self.accepted.len() {
                self.rejected.push(earlier);
                continue;
            }
            if let Err(rejection) = self.attempt(std::slice::from_ref(&earlier.proposal)).await {
                self.reject(earlier.proposal, rejection);
            }
        }
    }
}
