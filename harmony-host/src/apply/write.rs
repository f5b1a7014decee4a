use std::sync::Arc;

use provider_api::RejectionClass;

use crate::apply::applier::unwritable;
use crate::apply::commit::{self, NotWritten};
use crate::apply::{Applier, NotedChange, candidate, refusal};
use crate::documents::Documents;
use crate::documents::edits::Edits;
use crate::journal::Before;
use crate::snapshot::{Rejection, Snapshot};
use crate::storage::failpoints::kill;

/// Why a change waits whose files are in the way of another try.
pub(super) const LEFT: &str = "what an earlier try wrote cannot be taken back";

/// Why the files of a change are not written.
pub(super) enum NotCommitted {
    /// They were edited meanwhile.
    Edited,
    /// The change waits, for this reason.
    Held(String),
    /// The disk did not take them.
    Rejected(Rejection),
}

impl From<NotWritten> for NotCommitted {
    fn from(error: NotWritten) -> Self {
        match &error {
            NotWritten::Edited(_) => Self::Edited,
            NotWritten::Half { .. } => Self::Held(error.to_string()),
            NotWritten::Refused { file, .. } => {
                Self::Rejected(refusal(RejectionClass::Build, file, &error.to_string()))
            }
        }
    }
}

impl Applier {
    /// Writes the files, after noting in the journal what they were.
    pub(super) async fn commit(
        &self,
        noted: &NotedChange,
        files: Arc<Documents>,
        edits: Edits,
    ) -> Result<Vec<Before>, NotCommitted> {
        let (root, noted) = (self.root(), noted.clone());
        let work = move || {
            if edits.is_empty() {
                return Ok(Vec::new());
            }
            let held = |error: std::io::Error| NotCommitted::Held(unwritable(&error));
            let before = commit::before(&root, &files, &edits)?;
            let same = candidate::same(&files, &edits);
            if !same.is_empty() {
                noted.journal.says_the_same(noted.sequence, same).map_err(held)?;
            }
            for file in noted.journal.by_hand(&before) {
                let kept = noted.journal.keep_replaced(noted.sequence, file).map_err(held)?;
                tracing::warn!(
                    file = file.name,
                    change = %noted.change.id,
                    kept = %kept.display(),
                    "the change replaces what was written here by hand"
                );
            }
            noted.journal.staged(noted.sequence, before.clone()).map_err(held)?;
            kill("staged");
            if let Err(error) = commit::write(&root, &edits, &before) {
                if !matches!(error, NotWritten::Half { .. }) {
                    noted.journal.taken_back(noted.sequence).map_err(held)?;
                }
                return Err(error.into());
            }
            kill("written");
            if let Err(error) = noted.journal.committed(noted.sequence) {
                commit::take_back(&root, &before);
                return Err(held(error));
            }
            kill("committed");
            Ok(before)
        };
        let written = tokio::task::spawn_blocking(work).await;
        written.unwrap_or_else(|_| Err(NotCommitted::Held("writing the files failed".to_owned())))
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
        noted: &NotedChange,
    ) -> Result<(), String> {
        if noted.before.is_empty() || commit::are_in(&served.documents, &noted.before) {
            return Ok(());
        }
        if !self.take_back(noted.before.clone()).await {
            return Err(LEFT.to_owned());
        }
        let noted = noted.clone();
        let work = move || noted.journal.taken_back(noted.sequence);
        match tokio::task::spawn_blocking(work).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(unwritable(&error)),
            Err(error) => Err(error.to_string()),
        }
    }
}
