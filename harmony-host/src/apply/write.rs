//! Writing and restoring the files of a change, with records in the journal.

use std::sync::Arc;
use std::time::SystemTime;

use provider_api::{Change, RejectionClass};

use crate::apply::commit::{self, WriteError};
use crate::apply::journaled::unwritable;
use crate::apply::{Applier, JournaledChange, candidate};
use crate::diagnostics::rejection::Rejection;
use crate::documents::Documents;
use crate::documents::edits::Edits;
use crate::documents::layers::Layers;
use crate::documents::overlay;
use crate::journal::Before;
use crate::snapshot::Snapshot;
use crate::status::timestamp;
use crate::storage::failpoints::kill;

/// The reason for which a change waits when its files of an earlier attempt are still there.
pub(super) const EARLIER_FILES_REMAIN: &str = "the files of an earlier attempt cannot be restored";

/// The reason for which the files of a change are not written.
pub(super) enum CommitError {
    /// A file was edited meanwhile.
    Edited,
    /// The change waits. Holds the reason.
    Deferred(String),
    /// A file cannot be written.
    Rejected(Rejection),
}

impl From<WriteError> for CommitError {
    fn from(error: WriteError) -> Self {
        match &error {
            WriteError::Edited(_) => Self::Edited,
            WriteError::Partial { .. } => Self::Deferred(error.to_string()),
            WriteError::Io { file, .. } => {
                Self::Rejected(Rejection::of(RejectionClass::Build, file.as_str(), error.to_string()))
            }
        }
    }
}

/// Returns what a change is about to write into the overlay.
fn overlay_writes<'b>(
    change: &'b Change,
    before: &'b [Before],
) -> impl Iterator<Item = (&'b str, Option<String>, overlay::Write)> {
    let at = timestamp(SystemTime::now());
    before.iter().filter_map(move |file| {
        let (digest, kind) = (file.written.clone(), change.kind.as_str().to_owned());
        let write = overlay::Write { digest, change: change.id.to_string(), kind, at };
        Some((file.name.as_str(), file.overlay.as_ref()?.digest.clone(), write))
    })
}

/// Returns the deferral of a change when an edit beside its files cannot be saved.
fn deferred_by_copy(error: std::io::Error) -> CommitError {
    CommitError::Deferred(format!("an earlier edit of its files cannot be saved: {error}"))
}

fn log_overlaid(layers: &Layers, change: &Change, before: &[Before]) {
    for file in before.iter().filter(|file| file.overlay.is_some()) {
        let path = layers.overlay_path(&file.name).unwrap_or_default();
        tracing::info!(
            change = %change.id, file = file.name, path = %path.display(),
            "the configuration is read-only; the change is written to the overlay"
        );
    }
}

impl Applier {
    /// Records the current files in the journal and then writes the new ones. The order matters: after a kill, recovery
    /// restores the files from the journal.
    pub(super) async fn write_files(
        &self,
        change: &JournaledChange,
        files: Arc<Documents>,
        edits: Edits,
    ) -> Result<Vec<Before>, CommitError> {
        let (layers, change) = (self.layers.clone(), change.clone());
        let origins = Arc::clone(&self.surroundings.origins);
        let work = move || {
            if edits.is_empty() {
                return Ok(Vec::new());
            }
            let deferred = |error: std::io::Error| CommitError::Deferred(unwritable(&error));
            layers.clear(edits.iter().map(|(name, _)| name), &origins, timestamp(SystemTime::now()));
            let before = commit::before(&layers, &files, &edits)?;
            let unchanged = candidate::unchanged_targets(&files, &edits);
            if !unchanged.is_empty() {
                change.journal.found_identical(change.sequence, unchanged).map_err(deferred)?;
            }
            let save = |name: &str, edit: &[u8]| change.journal.save_replaced(change.sequence, name, edit);
            commit::settle_displaced(&layers, &before, &save).map_err(deferred_by_copy)?;
            for file in change.journal.edited_by_hand(&before) {
                let text = file.text.as_deref().unwrap_or_default();
                let copy = save(&file.name, text.as_bytes()).map_err(deferred)?;
                tracing::warn!(
                    file = file.name,
                    change = %change.change.id,
                    copy = %copy.display(),
                    "the change replaces an edit of this file; a copy of the edit is saved"
                );
            }
            change.journal.staged(change.sequence, before.clone()).map_err(deferred)?;
            kill("staged");
            let id = change.change.id.as_str();
            let unmark = || origins.unmark(id, before.iter().map(|file| file.name.as_str()));
            if let Err(error) = origins.mark(id, &edits) {
                change.journal.rolled_back(change.sequence).map_err(deferred)?;
                return Err(CommitError::Deferred(format!(
                    "the record of what came from a control plane cannot be written: {error}"
                )));
            }
            if let Err(error) = layers.record(overlay_writes(&change.change, &before)) {
                unmark();
                change.journal.rolled_back(change.sequence).map_err(deferred)?;
                return Err(CommitError::Deferred(format!(
                    "the record of the overlay cannot be written: {error}"
                )));
            }
            kill("recorded");
            if let Err(error) = commit::write(&layers, &edits, &before, &files.sensitive(), &save) {
                unmark();
                if !matches!(error, WriteError::Partial { .. }) {
                    change.journal.rolled_back(change.sequence).map_err(deferred)?;
                }
                return Err(match &error {
                    // The next attempt writes it to the overlay.
                    WriteError::Io { file, error } if layers.found_stuck(file, error) => CommitError::Edited,
                    _ => error.into(),
                });
            }
            kill("written");
            if let Err(error) = change.journal.committed(change.sequence) {
                commit::restore(&layers, &before, &save);
                unmark();
                return Err(deferred(error));
            }
            kill("committed");
            log_overlaid(&layers, &change.change, &before);
            Ok(before)
        };
        let written = tokio::task::spawn_blocking(work).await;
        written.unwrap_or_else(|_| Err(CommitError::Deferred("writing the files failed".to_owned())))
    }

    /// Restores the files. Returns whether none of the written text is left.
    pub(super) async fn restore_files(&self, change: &JournaledChange, before: Vec<Before>) -> bool {
        let (layers, origins) = (self.layers.clone(), Arc::clone(&self.surroundings.origins));
        let change = change.clone();
        let work = move || {
            let save = |name: &str, edit: &[u8]| change.journal.save_replaced(change.sequence, name, edit);
            commit::restore_with_origins(&layers, &before, &origins, change.change.id.as_str(), &save)
        };
        tokio::task::spawn_blocking(work).await.unwrap_or(false)
    }

    /// Removes the files that the change displaced: it is live. A failure is only logged; the next change of the file, or
    /// the next start, tries it again.
    pub(super) async fn settle_displaced(&self, change: &JournaledChange) {
        let (layers, change) = (self.layers.clone(), change.clone());
        let work = move || {
            let entry = change.journal.get(change.sequence);
            let before = entry.as_ref().and_then(|entry| entry.phase.before()).unwrap_or_default();
            let save = |name: &str, edit: &[u8]| change.journal.save_replaced(change.sequence, name, edit);
            commit::settle_displaced(&layers, before, &save)
        };
        let settled = tokio::task::spawn_blocking(work).await.map_err(std::io::Error::other);
        if let Err(error) = settled.and_then(|settled| settled) {
            tracing::error!(%error, "a file that was replaced cannot be removed");
        }
        kill("displaced");
    }

    /// Restores the files that an earlier attempt of the change wrote and could not restore, unless they are live
    /// meanwhile.
    ///
    /// # Errors
    /// The reason for which the change still has to wait.
    pub(super) async fn restore_earlier(
        &self,
        served: &Snapshot,
        change: &JournaledChange,
    ) -> Result<(), String> {
        if change.before.is_empty() || commit::are_loaded(&served.documents, &change.before) {
            return Ok(());
        }
        if !self.restore_files(change, change.before.clone()).await {
            return Err(EARLIER_FILES_REMAIN.to_owned());
        }
        let sequence = change.sequence;
        let written = change.journal.write(move |journal| journal.rolled_back(sequence)).await;
        written.map_err(|error| unwritable(&error))
    }
}
