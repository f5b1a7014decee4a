//! A change on its way through apply.

use std::sync::Arc;

use provider_api::Change;

use crate::journal::{Before, Journal, Target};

/// A change that is in the journal.
#[derive(Clone, Debug)]
pub(crate) struct JournaledChange {
    pub(crate) sequence: u64,
    pub(crate) change: Arc<Change>,
    pub(crate) journal: Arc<Journal>,
    /// What its files must still be, when it was rejected before.
    pub(crate) targets: Vec<Target>,
    /// What its files were before an earlier try that did not come to its end.
    pub(crate) before: Vec<Before>,
}

/// The reason for which a change waits whose notes cannot be written.
pub(super) fn unwritable(error: &std::io::Error) -> String {
    format!("the journal cannot be written: {error}")
}
