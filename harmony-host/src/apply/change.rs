use std::sync::Arc;

use provider_api::{Change, RejectionClass};

use crate::apply::applier::{prepare, unwritable};
use crate::apply::write::{LEFT, NotCommitted};
use crate::apply::{Applier, candidate, refusal};
use crate::journal::{Before, Journal, Target, Trial};
use crate::proxy::exchange::Gateway;
use crate::snapshot::Rejection;
use crate::status::full;
use crate::storage::failpoints::kill;

/// What became of a provider's change.
#[derive(Clone, Debug)]
pub(crate) enum ChangeVerdict {
    /// It is live.
    Applied,
    /// It is not, and nothing of it was kept. With what is known of this try, when another may fare better.
    Rejected(Rejection, Option<Trial>),
    /// A file it would write is not what it was when the change was rejected: something newer is there.
    Overtaken,
    /// It cannot be judged, for a reason that is not its own; it waits.
    Held(String),
}

/// A change that is in the journal.
#[derive(Clone, Debug)]
pub(crate) struct NotedChange {
    pub(crate) sequence: u64,
    pub(crate) change: Arc<Change>,
    pub(crate) journal: Arc<Journal>,
    /// What its files must still be, when it was rejected before.
    pub(crate) targets: Vec<Target>,
    /// What its files were before an earlier try that did not come to its end.
    pub(crate) before: Vec<Before>,
}

/// How often a change is tried anew because its files were edited meanwhile.
const MAX_TRIES: usize = 5;

impl Applier {
    /// Tries a provider's change. Whatever goes wrong, what was served is served on, and the files are what they
    /// were.
    pub(crate) async fn apply_change(
        &mut self,
        gateway: &Arc<Gateway>,
        noted: &NotedChange,
    ) -> ChangeVerdict {
        if let Err(why) = self.take_back_earlier(&gateway.snapshot.load_full(), noted).await {
            return ChangeVerdict::Held(why);
        }
        for _ in 0..MAX_TRIES {
            if let Some(verdict) = self.try_change(gateway, noted).await {
                return verdict;
            }
        }
        ChangeVerdict::Held("files that it would write are being edited".to_owned())
    }

    /// `None` when files changed under its hands.
    async fn try_change(&mut self, gateway: &Arc<Gateway>, noted: &NotedChange) -> Option<ChangeVerdict> {
        let served = gateway.snapshot.load_full();
        let surroundings = self.surroundings.clone();
        let (read, before, change) = (Arc::clone(&self.read), Arc::clone(&served), Arc::clone(&noted.change));
        let path = self.config_path.clone();
        let built = candidate::build(path, surroundings, read, before, change, &noted.targets).await;
        let (files, snapshot, edits) = match built {
            candidate::Built::Same(files) => {
                let noted = noted.clone();
                let work = move || noted.journal.says_the_same(noted.sequence, files);
                return match tokio::task::spawn_blocking(work).await {
                    Ok(Ok(())) => Some(ChangeVerdict::Applied),
                    Ok(Err(error)) => Some(ChangeVerdict::Held(unwritable(&error))),
                    Err(error) => Some(ChangeVerdict::Held(error.to_string())),
                };
            }
            candidate::Built::New { files, snapshot, edits } => (files, *snapshot, edits),
            candidate::Built::Rejected(refusal, trial) => {
                return Some(ChangeVerdict::Rejected(refusal, trial));
            }
            candidate::Built::Overtaken => return Some(ChangeVerdict::Overtaken),
            candidate::Built::Held(why) => return Some(ChangeVerdict::Held(why)),
        };
        kill("built");
        let targets = candidate::targets(&files, &edits);
        if let Some((file, newer)) = noted.journal.newer(noted.sequence, &targets) {
            let message = format!("the change {newer}, which is newer, has written it already");
            let refusal = refusal(RejectionClass::Superseded, &file, &message);
            return Some(ChangeVerdict::Rejected(refusal, None));
        }
        let against = full(served.documents.digest());
        // With an edit that is not served, it cannot be told whose fault it is.
        let edited = files.digest() != served.documents.digest();
        let rejected = |refusal: Rejection| {
            if edited {
                let first = refusal.problems.sorted_errors().first().map(ToString::to_string);
                let first = first.unwrap_or_default();
                return Some(ChangeVerdict::Held(format!("beside an edit that is not served yet: {first}")));
            }
            let trial = Trial::new(refusal.class, against.clone(), targets.clone());
            Some(ChangeVerdict::Rejected(refusal, Some(trial)))
        };
        let prepared = match prepare(&self.listeners, &snapshot) {
            Ok(prepared) => prepared,
            Err(refusal) => return rejected(refusal),
        };
        kill("bound");
        let commit = match self.commit(noted, files, edits).await {
            Ok(before) => before,
            Err(NotCommitted::Edited) => return None,
            Err(NotCommitted::Held(why)) => return Some(ChangeVerdict::Held(why)),
            Err(NotCommitted::Rejected(refusal)) => {
                let trial = Trial::new(refusal.class, against, targets).machine();
                return Some(ChangeVerdict::Rejected(refusal, Some(trial)));
            }
        };
        let documents = Arc::clone(&snapshot.documents);
        match self.publish(gateway, &served, snapshot, prepared, Some(noted)).await {
            Ok(generation) => {
                self.read = documents;
                self.rejected = None;
                self.note_applied(&gateway.snapshot.load());
                tracing::info!(generation, change = %noted.change.id, "change applied");
                Some(ChangeVerdict::Applied)
            }
            Err(refusal) => match self.take_back(commit).await {
                true => rejected(refusal),
                // Rejected with its files in place it would be served after all, by the next look at them.
                false => Some(ChangeVerdict::Held(LEFT.to_owned())),
            },
        }
    }
}
