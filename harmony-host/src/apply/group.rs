//! Groups of changes that are tried together.

use std::collections::HashMap;
use std::sync::Arc;

use provider_api::DocumentKind;

use crate::apply::JournaledChange;
use crate::apply::candidate::Proposal;
use crate::journal::Target;

/// The largest groups of changes during whose earlier attempts the process ended never, and once. One during which it
/// ended more often is tried alone, so that a change that ends the process takes no other with it to the limit of attempts.
const LARGEST: [usize; 2] = [1_000, 32];

/// Changes that are tried together.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) changes: Vec<JournaledChange>,
    /// The number of attempts that met an edit.
    pub(super) edited: usize,
    /// Set when its changes were refused before the other groups were tried: now their verdict is told.
    pub(super) is_again: bool,
}

impl Group {
    pub(super) fn new(changes: Vec<JournaledChange>) -> Self {
        Self { changes, edited: 0, is_again: false }
    }

    /// Splits changes into groups as [`of`](Self::of), to try them again.
    pub(super) fn again(changes: Vec<JournaledChange>) -> Vec<Self> {
        Self::of(changes).into_iter().map(|group| Self { is_again: true, ..group }).collect()
    }

    /// Splits changes into groups, in the order in which they depend on each other: transforms and the gateway before
    /// pipelines, pipelines before meshes, older before newer. Those that the process has ended with are apart.
    pub(super) fn of(mut changes: Vec<JournaledChange>) -> Vec<Self> {
        changes.sort_by_key(|change| (rank(&change.change.kind), change.tries, change.sequence));
        let mut groups: Vec<Self> = Vec::new();
        for change in changes {
            let largest = LARGEST.get(change.tries as usize).copied().unwrap_or(1);
            match groups.last_mut() {
                Some(group) if group.changes.len() < largest && group.changes[0].tries == change.tries => {
                    group.changes.push(change);
                }
                _ => groups.push(Self::new(vec![change])),
            }
        }
        groups
    }
}

fn rank(kind: &DocumentKind) -> u8 {
    match kind {
        DocumentKind::Transform => 0,
        DocumentKind::Gateway => 1,
        DocumentKind::Pipeline => 2,
        DocumentKind::Mesh => 3,
        DocumentKind::Unknown(_) => 4,
    }
}

/// A change of a document of which there is a newer one.
#[derive(Debug)]
pub(super) struct Older {
    pub(super) change: JournaledChange,
    /// The file.
    pub(super) document: String,
    /// The sequence number and the id of the newer one.
    pub(super) newer: (u64, String),
}

/// Separates the newest change of each document from the older ones. `identical` are the changes whose files are live
/// already.
pub(super) fn newest(
    proposals: Vec<Proposal>,
    identical: &[(JournaledChange, Vec<Target>)],
) -> (Vec<Arc<Proposal>>, Vec<Older>) {
    let mut by_document: HashMap<String, (u64, String)> = HashMap::new();
    let mut add = |document: &str, change: &JournaledChange| {
        let known = by_document.get(document).map_or(0, |(sequence, _)| *sequence);
        if change.sequence > known {
            by_document.insert(document.to_owned(), (change.sequence, change.id().to_owned()));
        }
    };
    for (change, files) in identical {
        files.iter().for_each(|file| add(&file.name, change));
    }
    for proposal in &proposals {
        proposal.documents().into_iter().for_each(|document| add(document, &proposal.change));
    }
    let (mut active, mut older) = (Vec::new(), Vec::new());
    for proposal in proposals {
        let newer = proposal.documents().into_iter().find_map(|document| {
            let newest = by_document.get(document)?;
            (newest.0 > proposal.change.sequence).then(|| (document.to_owned(), newest.clone()))
        });
        match newer {
            Some((document, newer)) => older.push(Older { change: proposal.change, document, newer }),
            None => active.push(Arc::new(proposal)),
        }
    }
    (active, older)
}
