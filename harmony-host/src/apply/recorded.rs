//! Records of changes that are live: in the log and in the history.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use crate::apply::JournaledChange;
use crate::apply::applier::{differences, in_log};
use crate::apply::candidate::Proposal;
use crate::difference::Differences;
use crate::history::{Applied, Cause, ChangeRef, Managed};
use crate::journal::Target;
use crate::snapshot::Snapshot;
use crate::storage::digest::full;

/// Logs what the configuration has become, and which changes have made it so.
pub(super) async fn log_applied(
    accepted: &[Arc<Proposal>],
    serving: &Arc<Snapshot>,
    snapshot: &Arc<Snapshot>,
) -> Differences {
    let generation = snapshot.generation;
    let differences = differences(serving, snapshot).await;
    let changed = in_log(&differences);
    if let [only] = accepted {
        let (change, kind) = (only.change.id(), only.change.change.kind.as_str());
        tracing::info!(generation, change, kind, changed, "change applied");
        return differences;
    }
    tracing::info!(generation, changes = accepted.len(), changed, "changes applied together");
    for proposal in accepted {
        let files: Vec<&str> = proposal.edits.names().collect();
        let (change, kind, files) =
            (proposal.change.id(), proposal.change.change.kind.as_str(), files.join(", "));
        tracing::info!(generation, change, kind, files, "change applied");
    }
    differences
}

/// Returns the documents of changes that were live before they came.
pub(super) fn identical_documents(
    serving: &Snapshot,
    identical: &[(JournaledChange, Vec<Target>)],
) -> BTreeMap<String, Managed> {
    let provider = serving.providers.primary_name().to_string();
    let documents = identical.iter().flat_map(|(change, files)| files.iter().map(move |file| (change, file)));
    let managed = |(change, file): (&JournaledChange, &Target)| {
        let kind = change.change.kind.as_str().to_owned();
        let managed = Managed {
            provider: provider.clone(),
            change: ChangeRef { id: change.id().to_owned(), kind },
            digest: file.digest.clone()?,
            generation: serving.generation,
        };
        Some((file.name.clone(), managed))
    };
    documents.filter_map(managed).collect()
}

/// Returns what the history records of changes that are live.
pub(super) fn record(
    provider: &str,
    accepted: &[Arc<Proposal>],
    serving: &Arc<Snapshot>,
    snapshot: &Arc<Snapshot>,
    differences: Differences,
) -> Applied {
    let reference = |proposal: &Proposal| ChangeRef {
        id: proposal.change.id().to_owned(),
        kind: proposal.change.change.kind.as_str().to_owned(),
    };
    let mut managed = BTreeMap::new();
    for proposal in accepted {
        for name in proposal.edits.names() {
            let digest = snapshot.documents.digest_of(name).map(full).unwrap_or_default();
            let (provider, change) = (provider.to_owned(), reference(proposal));
            managed.insert(
                name.to_owned(),
                Managed { provider, change, digest, generation: snapshot.generation },
            );
        }
    }
    let changes = accepted.iter().map(|proposal| reference(proposal)).collect();
    Applied {
        before: Some(Arc::clone(serving)),
        after: Arc::clone(snapshot),
        cause: Cause::Change { provider: provider.to_owned(), changes },
        at: SystemTime::now(),
        differences: Some(differences),
        managed,
        rolled_back: None,
    }
}
