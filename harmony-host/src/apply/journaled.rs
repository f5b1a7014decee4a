//! A change that is in the journal.

use std::sync::Arc;

use provider_api::Change;

use crate::journal::{Before, Journal, Target};

/// A change with its entry in the journal.
#[derive(Clone, Debug)]
pub(crate) struct JournaledChange {
    /// The number of the entry.
    pub(crate) sequence: u64,
    pub(crate) change: Arc<Change>,
    pub(crate) journal: Arc<Journal>,
    /// The target files as they were when the change was rejected; empty if it was not. They must not have changed
    /// since.
    pub(crate) targets: Vec<Target>,
    /// The files as they were before an earlier attempt that did not finish.
    pub(crate) before: Vec<Before>,
}

/// Returns the reason for which a change waits when the journal cannot be written.
pub(super) fn unwritable(error: &std::io::Error) -> String {
    format!("the journal cannot be written: {error}")
}
