//! Applying a change of a provider.

use std::sync::Arc;

use provider_api::RejectionClass;

use crate::apply::journaled::unwritable;
use crate::apply::write::{LEFT, NotCommitted};
use crate::apply::{Applier, JournaledChange, candidate};
use crate::diagnostics::rejection::Rejection;
use crate::journal::Attempt;
use crate::storage::digest::full;
use crate::storage::failpoints::kill;

/// The verdict on a change of a provider.
#[derive(Clone, Debug)]
pub(crate) enum ChangeVerdict {
    /// It is live.
    Applied,
    /// It is not, and nothing of it was kept. With what is known of this try, when another may fare better.
    Rejected(Rejection, Option<Attempt>),
    /// A file it would write is not what it was when the change was rejected: something newer is there.
    Superseded,
    /// It cannot be judged, for a reason that is not its own; it waits.
    Deferred(String),
}

/// How often a change is tried anew because its files were edited meanwhile.
const MAX_TRIES: usize = 5;

impl Applier {
    /// Applies a change. Whatever goes wrong, what was served is served on, and the files are what they were.
    pub(crate) async fn apply_change(&mut self, change: &JournaledChange) -> ChangeVerdict {
        if let Err(why) = self.take_back_earlier(&self.published.snapshot(), change).await {
            return ChangeVerdict::Deferred(why);
        }
        for _ in 0..MAX_TRIES {
            if let Some(verdict) = self.try_change(change).await {
                return verdict;
            }
        }
        ChangeVerdict::Deferred("files that it would write are being edited".to_owned())
    }

    /// Tries once; `None` when files were edited meanwhile.
    async fn try_change(&mut self, change: &JournaledChange) -> Option<ChangeVerdict> {
        let serving = self.published.snapshot();
        let surroundings = self.surroundings.clone();
        let (read, before, own) = (Arc::clone(&self.read), Arc::clone(&serving), Arc::clone(&change.change));
        let path = self.config_path.clone();
        let built = candidate::build(path, surroundings, read, before, own, &change.targets).await;
        let (files, snapshot, edits) = match built {
            candidate::Built::Same(files) => {
                let sequence = change.sequence;
                let noted =
                    change.journal.write(move |journal| journal.found_identical(sequence, files)).await;
                return Some(match noted {
                    Ok(()) => ChangeVerdict::Applied,
                    Err(error) => ChangeVerdict::Deferred(unwritable(&error)),
                });
            }
            candidate::Built::New { files, snapshot, edits } => (files, Arc::from(snapshot), edits),
            candidate::Built::Rejected(rejection, attempt) => {
                return Some(ChangeVerdict::Rejected(rejection, attempt));
            }
            candidate::Built::Superseded => return Some(ChangeVerdict::Superseded),
            candidate::Built::Deferred(why) => return Some(ChangeVerdict::Deferred(why)),
        };
        kill("built");
        let targets = candidate::targets(&files, &edits);
        if let Some((file, newer)) = change.journal.superseded_by(change.sequence, &targets) {
            let message = format!("the change {newer}, which is newer, has written it already");
            let rejection = Rejection::of(RejectionClass::Superseded, file, message);
            return Some(ChangeVerdict::Rejected(rejection, None));
        }
        let against = full(serving.documents.digest());
        // With an edit that is not served, it cannot be told whose fault it is.
        let edited = files.digest() != serving.documents.digest();
        let rejected = |rejection: Rejection| {
            if edited {
                let first = rejection.first();
                return Some(ChangeVerdict::Deferred(format!(
                    "beside an edit that is not served yet: {first}"
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
                    NotCommitted::Edited => None,
                    NotCommitted::Deferred(why) => Some(ChangeVerdict::Deferred(why)),
                    NotCommitted::Rejected(rejection) => {
                        let attempt = Attempt::new(rejection.class, against, targets).machine();
                        Some(ChangeVerdict::Rejected(rejection, Some(attempt)))
                    }
                };
            }
        };
        match self.go_live(prepared, &snapshot, Some(change)).await {
            Ok(()) => {
                self.read = Arc::clone(&snapshot.documents);
                self.rejected = None;
                self.note_applied(&snapshot);
                tracing::info!(generation = snapshot.generation, change = %change.change.id, "change applied");
                Some(ChangeVerdict::Applied)
            }
            Err(rejection) => match self.take_back(written).await {
                true => rejected(rejection),
                // Rejected with its files in place it would be served after all, by the next look at them.
                false => Some(ChangeVerdict::Deferred(LEFT.to_owned())),
            },
        }
    }
}
