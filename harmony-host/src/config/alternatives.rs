//! The remedy for an unknown name: the known names that it may mean.

use crate::config::keys::nearest;

/// Names in an order in which those that resemble a given one are found without reading all.
#[derive(Debug)]
pub(crate) struct KnownNames {
    sorted: Vec<String>,
    /// The positions in `sorted`, in the order of the names read backwards.
    backwards: Vec<usize>,
}

/// The number of names up to which each is compared with a given one. An edit distance takes about 0.2 us, and a broken
/// configuration can have 10 000 unknown names.
const COMPARED: usize = 128;

/// The longest part of a name that is compared, in characters.
const LONGEST: usize = 64;

impl KnownNames {
    /// Sorts the names.
    pub(crate) fn new(names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let mut sorted: Vec<String> = names.into_iter().map(Into::into).collect();
        sorted.sort();
        sorted.dedup();
        let mut backwards: Vec<usize> = (0..sorted.len()).collect();
        backwards.sort_by(|a, b| sorted[*a].bytes().rev().cmp(sorted[*b].bytes().rev()));
        Self { sorted, backwards }
    }

    /// Returns the remedy for an unknown name: the nearest known one, and those that are defined, the nearest first. Of many
    /// names only those are compared that begin or end like it.
    pub(crate) fn alternatives(&self, name: &str) -> String {
        // A name from a document may be long, and the distance takes time.
        let start: String = name.chars().take(LONGEST).collect();
        let mut near = self.resembling(name);
        near.sort_by_cached_key(|known| (strsim::damerau_levenshtein(&start, known), (*known).to_owned()));
        let defined = format!("defined are: {}", listed(&near, self.sorted.len()));
        match self.nearest(name) {
            Some(meant) => format!("did you mean `{meant}`? {defined}"),
            None => defined,
        }
    }

    /// Returns the known name that `name` is probably a misspelling of.
    pub(crate) fn nearest(&self, name: &str) -> Option<&str> {
        nearest(name, self.resembling(name).into_iter())
    }

    fn resembling(&self, name: &str) -> Vec<&str> {
        if self.sorted.len() <= COMPARED {
            return self.sorted.iter().map(String::as_str).collect();
        }
        let around = |at: usize| at.saturating_sub(COMPARED / 4)..(at + COMPARED / 4).min(self.sorted.len());
        let forwards = around(self.sorted.partition_point(|known| known.as_str() < name));
        let before = |at: &usize| self.sorted[*at].bytes().rev().lt(name.bytes().rev());
        let backwards = around(self.backwards.partition_point(before));
        let mut found: Vec<usize> = forwards.chain(self.backwards[backwards].iter().copied()).collect();
        found.sort_unstable();
        found.dedup();
        found.into_iter().map(|at| self.sorted[at].as_str()).collect()
    }
}

/// Returns the remedy for an unknown name among a few known ones.
pub(crate) fn alternatives(name: &str, known: &[&str]) -> String {
    KnownNames::new(known.iter().copied()).alternatives(name)
}

/// Joins names for a message, at most 12 of them.
pub(crate) fn join_names(names: &[&str]) -> String {
    listed(names, names.len())
}

/// Joins the first 12 of `total` names.
fn listed(names: &[&str], total: usize) -> String {
    const SHOWN: usize = 12;
    let shown = names.len().min(SHOWN);
    match total - shown {
        0 if total == 0 => "none".to_owned(),
        0 => names[..shown].join(", "),
        more => format!("{} and {more} more", names[..shown].join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelling_is_found_among_many() {
        let known = KnownNames::new((0..10_000).map(|n| format!("pipeline-{n}")));
        for (given, meant) in [
            ("pipeline-77777", "pipeline-7777"),
            ("pipline-500", "pipeline-500"),
            ("ppipeline-42", "pipeline-42"),
            ("pipeline_9999", "pipeline-9999"),
        ] {
            let remedy = known.alternatives(given);
            assert!(remedy.starts_with(&format!("did you mean `{meant}`?")), "{given}: {remedy}");
            assert!(remedy.ends_with(" and 9988 more"), "the count is that of all: {remedy}");
        }
    }

    #[test]
    fn few_names_are_all_listed() {
        assert_eq!(alternatives("x", &[]), "defined are: none");
        assert_eq!(alternatives("bbc", &["zz", "bbb", "bbb"]), "did you mean `bbb`? defined are: bbb, zz");
        let many: Vec<String> = (0..14).map(|n| format!("n{n:02}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert!(alternatives("other", &many).ends_with(" and 2 more"));
    }
}
