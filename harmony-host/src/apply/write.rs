//! Writing the files of a change, and taking them back.

use std::sync::Arc;

use provider_api::RejectionClass;

use crate::apply::commit::{self, NotWritten};
use crate::apply::journaled::unwritable;
use crate::apply::{Applier, JournaledChange, candidate};
use crate::diagnostics::rejection::Rejection;
use crate::documents::Documents;
use crate::documents::edits::Edits;
use crate::journal::Before;
use crate::snapshot::Snapshot;
use crate::storage::failpoints::kill;

/// Why a change waits whose files are in the way of another try.
pub(super) const LEFT: &str = "what an earlier try wrote cannot be taken back";

/// Why the files of a change are not written.
pub(super) enum NotCommitted {
    /// They were edited meanwhile.
    Edited,
    /// The change waits, for this reason.
    Deferred(String),
    /// The disk did not take them.
    Rejected(Rejection),
}

impl From<NotWritten> for NotCommitted {
    fn from(error: NotWritten) -> Self {
        match &error {
            NotWritten::Edited(_) => Self::Edited,
            NotWritten::Half { .. } => Self::Deferred(error.to_string()),
            NotWritten::Refused { file, .. } => {
                Self::Rejected(Rejection::of(RejectionClass::Build, file.as_str(), error.to_string()))
            }
        }
    }
}

impl Applier {
    /// Writes the files, after noting in the journal what they were.
    pub(super) async fn write_files(
        &self,
        change: &JournaledChange,
        files: Arc<Documents>,
        edits: Edits,
    ) -> Result<Vec<Before>, NotCommitted> {
        let (root, change) = (self.root(), change.clone());
        let work = move || {
            if edits.is_empty() {
                return Ok(Vec::new());
            }
            let deferred = |error: std::io::Error| NotCommitted::Deferred(unwritable(&error));
            let before = commit::before(&root, &files, &edits)?;
            let same = candidate::same(&files, &edits);
            if !same.is_empty() {
                change.journal.found_identical(change.sequence, same).map_err(deferred)?;
            }
            for file in change.journal.edited_by_hand(&before) {
                let kept = change.journal.save_replaced(change.sequence, file).map_err(deferred)?;
                tracing::warn!(
                    file = file.name,
                    change = %change.change.id,
                    kept = %kept.display(),
                    "the change replaces what was written here by hand"
                );
            }
            change.journal.staged(change.sequence, before.clone()).map_err(deferred)?;
            kill("staged");
            if let Err(error) = commit::write(&root, &edits, &before) {
                if !matches!(error, NotWritten::Half { .. }) {
                    change.journal.rolled_back(change.sequence).map_err(deferred)?;
                }
                return Err(error.into());
            }
            kill("written");
            if let Err(error) = change.journal.committed(change.sequence) {
                commit::take_back(&root, &before);
                return Err(deferred(error));
            }
            kill("committed");
            Ok(before)
        };
        let written = tokio::task::spawn_blocking(work).await;
        written.unwrap_or_else(|_| Err(NotCommitted::Deferred("writing the files failed".to_owned())))
    }

    /// Whether nothing of it is there any more.
    pub(super) async fn take_back(&self, before: Vec<Before>) -> bool {
        let root = self.root();
        let work = move || commit::take_back(&root, &before);
        tokio::task::spawn_blocking(work).await.unwrap_or(false)
    }

    /// Takes back what an earlier try of a change wrote and could not take back then, unless it is what is served
    /// meanwhile.
    ///
    /// # Errors
    /// Why it cannot be tried again yet.
    pub(super) async fn take_back_earlier(
        &self,
        served: &Snapshot,
        change: &JournaledChange,
    ) -> Result<(), String> {
        if change.before.is_empty() || commit::are_in(&served.documents, &change.before) {
            return Ok(());
        }
        if !self.take_back(change.before.clone()).await {
            return Err(LEFT.to_owned());
        }
        let sequence = change.sequence;
        let written = change.journal.write(move |journal| journal.rolled_back(sequence)).await;
        written.map_err(|error| unwritable(&error))
    }
}
