//! A change that is in the journal.

use std::sync::Arc;

use provider_api::Change;
use tokio::sync::mpsc::UnboundedSender;

use crate::apply::ChangeVerdict;
use crate::journal::{Before, Journal, Target};

/// A change with its entry in the journal.
#[derive(Clone, Debug)]
pub(crate) struct JournaledChange {
    /// The number of the entry.
    pub(crate) sequence: u64,
    pub(crate) change: Arc<Change>,
    /// The identity of the provider that it came from.
    pub(crate) instance: Arc<str>,
    pub(crate) journal: Arc<Journal>,
    /// The target files as they were when the change was rejected; empty if it was not. They must not have changed
    /// since.
    pub(crate) targets: Vec<Target>,
    /// The files as they were before an earlier attempt that did not finish.
    pub(crate) before: Vec<Before>,
    /// The number of attempts during which the process ended.
    pub(crate) tries: u32,
}

/// Receives the verdict of each change, by its sequence number, as soon as it is known.
pub(crate) type Verdicts = UnboundedSender<(u64, ChangeVerdict)>;

impl JournaledChange {
    /// Returns the id of the change.
    pub(super) fn id(&self) -> &str {
        self.change.id.as_str()
    }
}

/// Returns the reason for which a change waits when the journal cannot be written.
pub(super) fn unwritable(error: &std::io::Error) -> String {
    format!("the journal cannot be written: {error}")
}
