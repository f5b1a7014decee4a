//! The list of pending changes, from its pages.

use std::collections::{BTreeMap, BTreeSet};

use provider_api::ChangeId;
use serde_json::Value;

use crate::addressee::Listed;
use crate::entry::{self, Unusable};

/// The maximum number of pending changes.
const MAX_CHANGES: usize = 10_000;

/// The changes of the pages read so far, newest first.
#[derive(Default)]
pub(crate) struct List {
    changes: Vec<Listed>,
    /// The place of each change in `changes`.
    seen: BTreeMap<ChangeId, usize>,
    /// The changes that are there twice, with different contents: none of the two can be believed.
    ambiguous: BTreeSet<ChangeId>,
    unusable: Unusable,
    entries: usize,
}

impl List {
    /// Adds the entries of a page.
    ///
    /// # Errors
    /// A message for a list that is too long.
    pub(crate) fn add(&mut self, entries: &[Value]) -> Result<(), String> {
        for entry in entries {
            self.entries += 1;
            match entry::read(entry) {
                Ok(listed) => self.add_change(entry, listed),
                Err(reason) => self.unusable.add(self.entries, entry, reason),
            }
        }
        match self.changes.len() + self.unusable.count() > MAX_CHANGES {
            true => Err(format!("the list of the control plane has more than {MAX_CHANGES} changes")),
            false => Ok(()),
        }
    }

    /// Adds a change. One that arrives between two pages moves the others down, so one is on both pages.
    fn add_change(&mut self, entry: &Value, (head, gateway): Listed) {
        match self.seen.get(&head.id).and_then(|at| self.changes.get(*at)) {
            None => {
                self.seen.insert(head.id.clone(), self.changes.len());
                self.changes.push((head, gateway));
            }
            Some((known, of)) if known.kind == head.kind && *of == gateway => {}
            Some(_) => {
                if self.ambiguous.insert(head.id) {
                    self.unusable.add(self.entries, entry, "its `id` is there twice, for different changes");
                }
            }
        }
    }

    /// Returns the reason if the list has entries, and none of them is a change: it is then no list of changes.
    pub(crate) fn unreadable(&self) -> Option<String> {
        self.changes.is_empty().then(|| self.unusable.reason()).flatten()
    }

    /// Returns the changes, oldest first, and the entries that are none.
    ///
    /// The order is by `created_at` if every change has one. The order of the list is not enough: in a list that is
    /// sorted differently, an old version would be applied last.
    pub(crate) fn oldest_first(mut self) -> (Vec<Listed>, Unusable) {
        self.changes.retain(|(head, _)| !self.ambiguous.contains(&head.id));
        self.changes.reverse();
        let created_at = |(head, _): &Listed| head.created_at.as_deref()?.parse::<jiff::Timestamp>().ok();
        if self.changes.iter().all(|head| created_at(head).is_some()) {
            self.changes.sort_by_cached_key(created_at);
        }
        (self.changes, self.unusable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_sorted_oldest_first() {
        let order = |all: &[(&str, Option<&str>)]| {
            let data: Vec<_> = all
                .iter()
                .map(|(id, created)| serde_json::json!({ "id": id, "type": "mesh", "created_at": created }))
                .collect();
            let mut list = List::default();
            list.add(&data).unwrap();
            list.oldest_first().0.iter().map(|(head, _)| head.id.to_string()).collect::<String>()
        };
        let (early, late) = (Some("2026-01-01T00:00:00Z"), Some("2026-01-01T02:00:00+01:00"));
        assert_eq!(order(&[("c", late), ("b", early), ("a", early)]), "abc");
        assert_eq!(order(&[("a", early), ("c", late)]), "ac");
        // Without a usable `created_at` in every change, the list is reversed.
        assert_eq!(order(&[("a", early), ("c", late), ("d", None)]), "dca");
        assert_eq!(order(&[("a", early), ("c", Some("soon"))]), "ca");
    }

    #[test]
    fn an_id_for_different_changes_is_taken_for_none() {
        let entry = |id: &str, kind: &str, gateway: &str| serde_json::json!({ "id": id, "type": kind, "gateway_id": gateway });
        let taken = |entries: &[Value]| {
            let mut list = List::default();
            list.add(entries).unwrap();
            let (changes, unusable) = list.oldest_first();
            (changes.iter().map(|(head, _)| head.id.to_string()).collect::<String>(), unusable.count())
        };
        let (a, b) = (entry("a", "mesh", "g"), entry("b", "mesh", "g"));
        assert_eq!(taken(&[a.clone(), b.clone(), a.clone()]), ("ba".to_owned(), 0));
        for other in [entry("a", "pipeline", "g"), entry("a", "mesh", "h")] {
            assert_eq!(taken(&[a.clone(), b.clone(), other.clone()]), ("b".to_owned(), 1));
            assert_eq!(taken(&[other.clone(), a.clone(), other, b.clone()]), ("b".to_owned(), 1));
        }
    }

    #[test]
    fn list_is_bounded() {
        let good: Vec<Value> =
            (0..=MAX_CHANGES).map(|n| serde_json::json!({ "id": n, "type": "mesh" })).collect();
        assert!(List::default().add(&good[1..]).is_ok());
        assert!(List::default().add(&good).is_err());
        assert!(List::default().add(&vec![Value::Null; MAX_CHANGES + 1]).is_err());
    }
}
