//! Findings: a summary of all files, so that an edit of a few needs no look at the others.

use std::collections::BTreeSet;

/// The summary of the files and directories of a tree.
#[derive(Clone, Debug, Default)]
pub(super) struct Findings {
    /// Set if nothing was found wrong with the directories.
    pub(super) is_quiet: bool,
    /// The documents with more than definitions without a problem: see
    /// [`Fragment::is_remarkable`](crate::config::Fragment::is_remarkable), and those that name certificates or keys.
    pub(super) remarkable: BTreeSet<String>,
    /// The certificates and keys.
    pub(super) pems: BTreeSet<String>,
    /// The files that hold a secret.
    pub(super) secret: BTreeSet<String>,
}

impl Findings {
    /// Forgets a file that is read again.
    pub(super) fn forget(&mut self, name: &str) {
        self.remarkable.remove(name);
        self.pems.remove(name);
        self.secret.remove(name);
    }
}
