//! The inputs of an explanation, and the refusal of one.

use std::sync::Arc;

use crate::documents::origins::Origins;
use crate::journal::Journal;
use crate::snapshot::Snapshot;

/// The inputs of an explanation.
pub(crate) struct Asked<'a> {
    pub(crate) snapshot: &'a Snapshot,
    /// The record of what came from a control plane.
    pub(crate) origins: &'a Origins,
    /// The journal, if the gateway has one.
    pub(crate) journal: Option<&'a Arc<Journal>>,
    /// Returns whether the management API answers a path on a network.
    pub(crate) is_managed: &'a (dyn Fn(&str, &str) -> bool + Sync),
}

/// The refusal of an explanation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// Set if the text can mean nothing; otherwise it means something that this configuration does not have.
    pub(crate) is_malformed: bool,
    pub(crate) message: String,
    /// Texts that can be explained, the most likely first.
    pub(crate) suggestions: Vec<String>,
}

impl Refusal {
    pub(super) fn malformed(message: impl Into<String>) -> Self {
        Self { is_malformed: true, message: message.into(), suggestions: Vec::new() }
    }

    pub(super) fn unknown(message: impl Into<String>) -> Self {
        Self { is_malformed: false, message: message.into(), suggestions: Vec::new() }
    }

    /// Adds the names that resemble the one that was given, the nearest first.
    pub(super) fn suggest<'n>(mut self, given: &str, names: impl Iterator<Item = &'n str>) -> Self {
        /// The most suggestions.
        const MOST: usize = 5;
        /// The least similarity of a suggestion, from 0 to 1.
        const LEAST: f64 = 0.55;
        let given: String = given.chars().take(128).collect();
        let mut near: Vec<(f64, &str)> = names
            .map(|name| (strsim::normalized_damerau_levenshtein(&given, name), name))
            .filter(|(similarity, _)| *similarity >= LEAST)
            .collect();
        near.sort_by(|(a, one), (b, other)| b.total_cmp(a).then_with(|| one.cmp(other)));
        near.dedup();
        self.suggestions.extend(near.into_iter().take(MOST).map(|(_, name)| name.to_owned()));
        self
    }
}
