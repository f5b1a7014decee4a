//! Applying a change of a provider.

use std::sync::Arc;

use provider_api::RejectionClass;

use crate::apply::applier::log_removed;
use crate::apply::journaled::unwritable;
use crate::apply::write::{CommitError, EARLIER_FILES_REMAIN};
use crate::apply::{Applier, JournaledChange, Trigger, candidate};
use crate::diagnostics::rejection::Rejection;
use crate::documents::edits::Edits;
use crate::documents::{Documents, Touched};
use crate::journal::Attempt;
use crate::snapshot::Snapshot;
use crate::storage::digest::full;
use crate::storage::failpoints::kill;

/// The verdict on a change of a provider.
#[derive(Clone, Debug)]
pub(crate) enum ChangeVerdict {
    /// The change is live.
    Applied,
    /// The change was rejected and its files are restored. The attempt is set if another attempt may succeed.
    Rejected(Rejection, Option<Attempt>),
    /// A target file was edited after the change was rejected: the edit is newer and stays.
    Superseded,
    /// The change cannot be checked now, for a reason outside of it. It waits and is tried again.
    Deferred(String),
}

/// The limit of attempts when the files are edited while the change is applied.
const MAX_TRIES: usize = 5;

impl Applier {
    /// Applies a change. On any failure the previous configuration stays live and the files are restored.
    pub(crate) async fn apply_change(&mut self, change: &JournaledChange) -> ChangeVerdict {
        if let Err(reason) = self.restore_earlier(&self.published.snapshot(), change).await {
            return ChangeVerdict::Deferred(reason);
        }
        for _ in 0..MAX_TRIES {
            if let Some(verdict) = self.try_change(change).await {
                return verdict;
            }
        }
        ChangeVerdict::Deferred("the files of the change are being edited".to_owned())
    }

    /// Tries once. Returns `None` if a target file was edited meanwhile.
    async fn try_change(&mut self, change: &JournaledChange) -> Option<ChangeVerdict> {
        let serving = self.published.snapshot();
        let (files, snapshot, edits) = match self.build_change(change, &serving).await {
            Ok(built) => built,
            Err(verdict) => return Some(verdict),
        };
        kill("built");
        let targets = candidate::targets(&files, &edits);
        if let Some((file, newer)) = change.journal.superseded_by(change.sequence, &targets) {
            let message = format!("the newer change {newer} has written this file already");
            let rejection = Rejection::of(RejectionClass::Superseded, file, message);
            return Some(ChangeVerdict::Rejected(rejection, None));
        }
        let against = full(serving.documents.digest());
        // With an edit that is not live, either the edit or the change may be at fault.
        let edited = files.digest() != serving.documents.digest();
        let rejected = |rejection: Rejection| {
            if edited {
                let first = rejection.first();
                return Some(ChangeVerdict::Deferred(format!(
                    "rejected together with an edit that is not live yet: {first}"
                )));
            }
            let attempt = Attempt::new(rejection.class, against.clone(), targets.clone());
            Some(ChangeVerdict::Rejected(rejection, Some(attempt)))
        };
        let prepared = match self.activator.prepare(&snapshot, Some(&serving)).await {
            Ok(prepared) => prepared,
            Err(rejection) if rejection.is_transient() => {
                return Some(ChangeVerdict::Deferred(rejection.first()));
            }
            Err(rejection) => return rejected(rejection),
        };
        kill("bound");
        let written = match self.write_files(change, files, edits).await {
            Ok(before) => before,
            Err(not_written) => {
                self.activator.rollback(prepared).await;
                return match not_written {
                    CommitError::Edited => None,
                    CommitError::Deferred(reason) => Some(ChangeVerdict::Deferred(reason)),
                    CommitError::Rejected(rejection) => {
                        let attempt = Attempt::new(rejection.class, against, targets).machine();
                        Some(ChangeVerdict::Rejected(rejection, Some(attempt)))
                    }
                };
            }
        };
        match self.go_live(prepared, &snapshot, Some(change)).await {
            Ok(()) => {
                self.last_read = Arc::clone(&snapshot.documents);
                self.rejected = None;
                self.examine_base().await;
                self.report_applied(&snapshot);
                log_removed(&snapshot, &serving);
                tracing::info!(generation = snapshot.generation, change = %change.change.id, "change applied");
                match snapshot.documents.has_isolated() {
                    false => self.settle_overlay().await,
                    // The change was judged without these files. The files as a whole are still not live.
                    true => drop(self.apply(Touched::Everything, Trigger::Edit).await),
                }
                Some(ChangeVerdict::Applied)
            }
            Err(rejection) => match self.restore_files(change, written).await {
                true => rejected(rejection),
                // With its files in place, a rejected change would become live at the next poll.
                false => Some(ChangeVerdict::Deferred(EARLIER_FILES_REMAIN.to_owned())),
            },
        }
    }

    /// Builds the files and the snapshot that the change proposes.
    ///
    /// # Errors
    /// The verdict, if there is nothing to apply.
    async fn build_change(
        &self,
        change: &JournaledChange,
        serving: &Arc<Snapshot>,
    ) -> Result<(Arc<Documents>, Arc<Snapshot>, Edits), ChangeVerdict> {
        let (read, before, own) =
            (Arc::clone(&self.last_read), Arc::clone(serving), Arc::clone(&change.change));
        let (layers, surroundings) = (self.layers.clone(), self.surroundings.clone());
        match candidate::build(layers, surroundings, read, before, own, &change.targets).await {
            candidate::Built::New { files, snapshot, edits } => Ok((files, Arc::from(snapshot), edits)),
            candidate::Built::Unchanged(files) => {
                let sequence = change.sequence;
                let recorded = change.journal.write(move |journal| journal.found_identical(sequence, files));
                Err(match recorded.await {
                    Ok(()) => ChangeVerdict::Applied,
                    Err(error) => ChangeVerdict::Deferred(unwritable(&error)),
                })
            }
            candidate::Built::Rejected(rejection, attempt) => {
                Err(ChangeVerdict::Rejected(rejection, attempt))
            }
            candidate::Built::Superseded => Err(ChangeVerdict::Superseded),
            candidate::Built::Deferred(reason) => Err(ChangeVerdict::Deferred(reason)),
        }
    }
}
