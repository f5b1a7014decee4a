//! The list of the differences of two configurations, with a limit.

use serde::{Deserialize, Serialize};

use crate::difference::clip::clipped;
use crate::difference::compare;
use crate::difference::entry::Difference;
use crate::snapshot::Snapshot;

/// The most differences that are kept; the number of the others is.
pub(crate) const MAX_DIFFERENCES: usize = 1_000;

/// The most differences in one line of the log.
const IN_LINE: usize = 6;

/// The longest difference in a line of the log, in characters.
const LINE_PART: usize = 200;

/// The differences of two configurations, sorted by kind and name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Differences {
    /// At most [`MAX_DIFFERENCES`].
    pub(crate) differences: Vec<Difference>,
    /// The number of differences that are left out.
    pub(crate) left_out: usize,
    /// The number of files with another content, also if only their comments or their layout differ.
    pub(crate) files: usize,
}

impl Differences {
    /// Compares two configurations. Looks only at the parts that they do not share. Without `before` everything is added.
    pub(crate) fn between(before: Option<&Snapshot>, after: &Snapshot) -> Self {
        let (mut differences, files) = compare::compare(before, after);
        differences.sort_unstable();
        let left_out = differences.len().saturating_sub(MAX_DIFFERENCES);
        differences.truncate(MAX_DIFFERENCES);
        Self { differences, left_out, files }
    }

    /// Returns whether the two configurations mean the same.
    pub(crate) fn is_empty(&self) -> bool {
        self.differences.is_empty()
    }

    /// Returns the number of differences, with those that are left out.
    pub(crate) fn count(&self) -> usize {
        self.differences.len() + self.left_out
    }

    /// Returns the differences in one line, the first few of them and the number of the others.
    pub(crate) fn line(&self) -> String {
        if self.is_empty() {
            return self.nothing();
        }
        let shown = self.differences.iter().take(IN_LINE).map(|one| clipped(&one.text, LINE_PART));
        let mut parts: Vec<String> = shown.collect();
        let more = self.count() - parts.len();
        if more > 0 {
            parts.push(format!("and {more} more"));
        }
        parts.join("; ")
    }

    /// Returns the differences, one in a line, and the number of those that are left out.
    pub(crate) fn lines(&self) -> impl Iterator<Item = String> {
        let nothing = self.is_empty().then(|| self.nothing());
        let more = (self.left_out > 0).then(|| format!("and {} more", self.left_out));
        let all = self.differences.iter().map(|one| one.text.clone());
        nothing.into_iter().chain(all).chain(more)
    }

    fn nothing(&self) -> String {
        match self.files {
            0 => "no difference".to_owned(),
            1 => "no difference in meaning: 1 file has another text".to_owned(),
            files => format!("no difference in meaning: {files} files have another text"),
        }
    }
}
