//! Writing and restoring the files of a change, with records in the journal.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use provider_api::{Change, RejectionClass};

use crate::apply::candidate::{Proposal, merged};
use crate::apply::commit::{self, Modes, WriteError};
use crate::apply::journaled::unwritable;
use crate::apply::{Applier, JournaledChange, candidate};
use crate::diagnostics::rejection::Rejection;
use crate::documents::Documents;
use crate::documents::layers::Layers;
use crate::documents::origins::Origins;
use crate::documents::overlay;
use crate::journal::{Before, Journal};
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

/// The files that a change wrote, as they were before.
pub(super) struct Written {
    change: JournaledChange,
    before: Vec<Before>,
}

/// Assigns each file to the newest change that writes it: this one restores it.
fn by_change(proposals: &[Arc<Proposal>], before: &[Before]) -> Vec<Written> {
    let mut owners: HashMap<&str, u64> = HashMap::new();
    for proposal in proposals {
        for (name, _) in proposal.edits.iter() {
            let owner = owners.entry(name).or_default();
            *owner = (*owner).max(proposal.change.sequence);
        }
    }
    let mut written: BTreeMap<u64, Written> = BTreeMap::new();
    for proposal in proposals {
        let change = proposal.change.clone();
        written.insert(change.sequence, Written { change, before: Vec::new() });
    }
    for file in before {
        let owner = owners.get(file.name.as_str()).and_then(|sequence| written.get_mut(sequence));
        if let Some(owner) = owner {
            owner.before.push(file.clone());
        }
    }
    written.into_values().collect()
}

/// Saves edits that no file has any more, each by the number of the change that replaced it.
fn saver(written: &[Written]) -> impl Fn(&str, &[u8]) -> std::io::Result<PathBuf> + '_ {
    move |name: &str, edit: &[u8]| {
        let owner = owner(written, name).ok_or_else(|| std::io::Error::other("no change"))?;
        owner.change.journal.save_replaced(owner.change.sequence, name, edit)
    }
}

/// Returns the change that writes a file; for another file any of them.
fn owner<'w>(written: &'w [Written], name: &str) -> Option<&'w Written> {
    let owner = written.iter().find(|one| one.before.iter().any(|file| file.name == name));
    owner.or_else(|| written.first())
}

impl Applier {
    /// Records the current files in the journal and then writes the new ones. The order matters: after a kill, recovery
    /// restores the files from the journal.
    pub(super) async fn write_files(
        &self,
        proposals: &[Arc<Proposal>],
        files: Arc<Documents>,
    ) -> Result<Vec<Written>, CommitError> {
        let (layers, origins) = (self.layers.clone(), Arc::clone(&self.surroundings.origins));
        let proposals = proposals.to_vec();
        let work = move || write(&layers, &origins, &proposals, &files);
        let written = tokio::task::spawn_blocking(work).await;
        written.unwrap_or_else(|_| Err(CommitError::Deferred("writing the files failed".to_owned())))
    }

    /// Restores the files of changes.
    ///
    /// # Errors
    /// The reason for which the changes wait: some of the written text is left, or the journal cannot be written.
    pub(super) async fn restore_files(&self, written: Vec<Written>) -> Result<(), String> {
        let (layers, origins) = (self.layers.clone(), Arc::clone(&self.surroundings.origins));
        let work = move || {
            let changes: Vec<_> =
                written.iter().map(|one| (one.change.id(), one.before.as_slice())).collect();
            // With its files in place, a rejected change would become live at the next poll.
            if !commit::restore_with_origins(&layers, &changes, &origins, &saver(&written)) {
                return Err(EARLIER_FILES_REMAIN.to_owned());
            }
            let Some(first) = written.first() else { return Ok(()) };
            let restored = first.change.journal.restored(&sequences(&written));
            restored.map_err(|error| unwritable(&error))
        };
        let restored = tokio::task::spawn_blocking(work).await;
        restored.unwrap_or_else(|_| Err(EARLIER_FILES_REMAIN.to_owned()))
    }

    /// Removes the files that changes displaced: they are live. A failure is only logged; the next change of a file, or
    /// the next start, tries it again.
    pub(super) async fn settle_displaced(&self, changes: &[JournaledChange]) {
        let layers = self.layers.clone();
        let changes = changes.to_vec();
        let work = move || {
            changes.iter().try_for_each(|change| {
                let entry = change.journal.get(change.sequence);
                let before = entry.as_ref().and_then(|entry| entry.phase.before()).unwrap_or_default();
                let save =
                    |name: &str, edit: &[u8]| change.journal.save_replaced(change.sequence, name, edit);
                commit::settle_displaced(&layers, before, &save)
            })
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
        self.restore_files(vec![Written { change: change.clone(), before: change.before.clone() }]).await
    }
}

fn sequences(written: &[Written]) -> Vec<u64> {
    written.iter().map(|one| one.change.sequence).collect()
}

/// Writes the files of changes, with a record of each phase. Blocks.
fn write(
    layers: &Layers,
    origins: &Origins,
    proposals: &[Arc<Proposal>],
    files: &Documents,
) -> Result<Vec<Written>, CommitError> {
    let edits = merged(proposals);
    let Some(journal) = proposals.first().map(|proposal| &proposal.change.journal) else {
        return Ok(Vec::new());
    };
    if edits.is_empty() {
        return Ok(by_change(proposals, &[]));
    }
    let deferred = |error: std::io::Error| CommitError::Deferred(unwritable(&error));
    layers.clear(edits.iter().map(|(name, _)| name), origins, timestamp(SystemTime::now()));
    let before = commit::before(layers, &|name| files.text(name), &edits)?;
    let written = by_change(proposals, &before);
    record_identical(journal, proposals, files).map_err(deferred)?;
    let save = saver(&written);
    commit::settle_displaced(layers, &before, &save).map_err(deferred_by_copy)?;
    for file in journal.edited_by_hand(&before) {
        let text = file.text.as_deref().unwrap_or_default();
        let copy = save(&file.name, text.as_bytes()).map_err(deferred)?;
        tracing::warn!(
            file = file.name,
            change = owner(&written, &file.name).map(|one| one.change.id()),
            copy = %copy.display(),
            "the change replaces an edit of this file; a copy of the edit is saved"
        );
    }
    let all = sequences(&written);
    let staged: Vec<_> = written.iter().map(|one| (one.change.sequence, one.before.clone())).collect();
    journal.staged(&staged).map_err(deferred)?;
    kill("staged");
    let names = |one: &Written| one.before.iter().map(|file| file.name.clone()).collect::<Vec<_>>();
    let marked: Vec<(String, Vec<String>)> =
        written.iter().map(|one| (one.change.id().to_owned(), names(one))).collect();
    let unmark = || {
        let marked = marked.iter();
        let marked =
            marked.map(|(id, names)| (id.as_str(), names.iter().map(String::as_str).collect::<Vec<_>>()));
        origins.unmark(&marked.collect::<Vec<_>>());
    };
    if let Err(error) = origins.mark(proposals.iter().map(|one| (one.change.id(), &one.edits))) {
        journal.restored(&all).map_err(deferred)?;
        return Err(CommitError::Deferred(format!(
            "the record of what came from a control plane cannot be written: {error}"
        )));
    }
    let overlaid = written.iter().flat_map(|one| overlay_writes(&one.change.change, &one.before));
    if let Err(error) = layers.record(overlaid) {
        unmark();
        journal.restored(&all).map_err(deferred)?;
        return Err(CommitError::Deferred(format!("the record of the overlay cannot be written: {error}")));
    }
    kill("recorded");
    let sensitive = files.sensitive();
    let modes = Modes { sensitive: &sensitive, keeps: false };
    if let Err(error) = commit::write(layers, &edits, &before, modes, &save) {
        unmark();
        if !matches!(error, WriteError::Partial { .. }) {
            journal.restored(&all).map_err(deferred)?;
        }
        return Err(match &error {
            // The next attempt writes it to the overlay.
            WriteError::Io { file, error } if layers.found_stuck(file, error) => CommitError::Edited,
            _ => error.into(),
        });
    }
    kill("written");
    if let Err(error) = journal.committed(&all) {
        commit::restore(layers, &before, &save);
        unmark();
        return Err(deferred(error));
    }
    kill("committed");
    written.iter().for_each(|one| log_overlaid(layers, &one.change.change, &one.before));
    drop(save);
    Ok(written)
}

/// Records the files of the changes that have the proposed text already.
fn record_identical(
    journal: &Journal,
    proposals: &[Arc<Proposal>],
    files: &Documents,
) -> std::io::Result<()> {
    let found: Vec<_> = proposals
        .iter()
        .map(|one| (one.change.sequence, candidate::unchanged_targets(files, &one.edits)))
        .filter(|(_, unchanged)| !unchanged.is_empty())
        .collect();
    if found.is_empty() { Ok(()) } else { journal.found_identical(&found) }
}
