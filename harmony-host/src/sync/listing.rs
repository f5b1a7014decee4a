//! The changes that the provider lists although this gateway is done with them, or could not take them.

use std::collections::{BTreeMap, HashSet};

use provider_api::ChangeHead;

use crate::journal::{Delivery, Entry, Journal, Phase};
use crate::providers::SourceId;
use crate::status::NotTaken;

/// The changes of the last list that stay pending at the provider.
#[derive(Debug, Default)]
pub(super) struct Listing {
    /// Those whose acknowledgement the provider refused, by id.
    refused: BTreeMap<String, NotTaken>,
    /// Those whose verdict the provider got before it listed them.
    again: Vec<NotTaken>,
}

impl Listing {
    /// Returns the ids of the changes whose verdict the provider has, before it is asked for a list. A first repeat of a
    /// verdict is not counted: it is sent at once.
    pub(super) fn settled(
        journal: &Journal,
        source: &SourceId,
        is_repeated: impl Fn(u64) -> bool,
    ) -> HashSet<String> {
        let told = |entry: &Entry| match entry.delivery {
            Delivery::Waiting => false,
            Delivery::Reported => is_repeated(entry.sequence),
            Delivery::Refused(_) => true,
        };
        let all = journal.all();
        let ours = all.iter().filter(|entry| entry.phase == Phase::Settled && entry.is_from(source));
        ours.filter(|entry| told(entry)).map(|entry| entry.id.clone()).collect()
    }

    /// Records a new list. `settled` are the changes whose verdict the provider had before.
    pub(super) fn received(&mut self, heads: &[ChangeHead], settled: &HashSet<String>) {
        self.refused.retain(|id, _| heads.iter().any(|head| head.id.as_str() == id));
        let again = heads.iter().filter(|head| settled.contains(head.id.as_str()));
        let reason = "the provider lists it again, although it got the verdict of this gateway";
        self.again = again.map(|head| NotTaken::new(head.id.as_str(), head.kind.as_str(), reason)).collect();
    }

    /// Records the answer to the acknowledgement of a change: `None`, or why the provider refused it.
    pub(super) fn acknowledged(&mut self, entry: &Entry, refusal: Option<&str>) {
        match refusal {
            None => {
                self.refused.remove(&entry.id);
            }
            Some(error) => {
                let reason = format!("the provider refused its acknowledgement: {error}");
                self.refused.insert(entry.id.clone(), NotTaken::new(&entry.id, &entry.kind, &reason));
            }
        }
    }

    /// Forgets everything, for another provider.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Returns all of them.
    pub(super) fn not_taken(&self) -> Vec<NotTaken> {
        self.refused.values().chain(&self.again).cloned().collect()
    }
}
