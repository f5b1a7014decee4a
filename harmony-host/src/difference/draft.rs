//! Differences while they are collected: what several looks at the configuration find about one part is one difference.

use std::collections::BTreeMap;

use crate::diagnostics::problem::printed;
use crate::difference::clip::clipped;
use crate::difference::entry::{Difference, Kind, Sign};

/// The most clauses of one difference.
const MOST_CLAUSES: usize = 8;

/// The longest name and the longest clause, in characters.
const CLAUSE: usize = 300;

/// The longest detail, in characters: a thousand differences fit into one response of the management API.
const DETAIL: usize = 1_000;

/// The differences so far, by kind and name.
#[derive(Debug, Default)]
pub(super) struct Drafts(BTreeMap<(Kind, String), Draft>);

#[derive(Debug)]
struct Draft {
    sign: Sign,
    clauses: Vec<String>,
}

impl Drafts {
    /// Adds a difference, or what more is known of one. A part that comes and goes, such as one of two definitions with the
    /// same name, has changed.
    pub(super) fn add(
        &mut self,
        sign: Sign,
        kind: Kind,
        name: impl Into<String>,
        clauses: impl IntoIterator<Item = String>,
    ) {
        let draft = self.0.entry((kind, name.into()));
        let draft = draft
            .and_modify(|known| {
                if known.sign != sign {
                    known.sign = Sign::Changed;
                }
            })
            .or_insert_with(|| Draft { sign, clauses: Vec::new() });
        draft.clauses.extend(clauses);
    }

    /// Adds clauses to a difference, which is a change if nothing else is known of it.
    pub(super) fn note(&mut self, kind: Kind, name: &str, clauses: Vec<String>) {
        if clauses.is_empty() {
            return;
        }
        let draft = self.0.entry((kind, name.to_owned()));
        let draft = draft.or_insert_with(|| Draft { sign: Sign::Changed, clauses: Vec::new() });
        // What it means for requests comes before the keys.
        draft.clauses.splice(0..0, clauses);
    }

    /// Returns the differences. Their texts are fit for every output.
    pub(super) fn finish(self) -> Vec<Difference> {
        let difference = |((kind, name), draft): ((Kind, String), Draft)| {
            let more = draft.clauses.len().saturating_sub(MOST_CLAUSES);
            let shown = draft.clauses.iter().take(MOST_CLAUSES).map(|clause| clipped(clause, CLAUSE));
            let mut clauses: Vec<String> = shown.collect();
            if more > 0 {
                clauses.push(format!("{more} more"));
            }
            let (name, detail) = (clipped(&name, CLAUSE), clipped(&clauses.join(", "), DETAIL));
            Difference::new(draft.sign, kind, printed(&name), printed(&detail))
        };
        self.0.into_iter().map(difference).collect()
    }
}
