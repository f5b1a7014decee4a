//! Writing the files of a rollback, with a record by which recovery undoes or finishes it after a kill.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use crate::apply::Applier;
use crate::apply::commit::{self, Modes, WriteError};
use crate::apply::rollback::plan::Plan;
use crate::apply::rollback::request::RollbackRequest;
use crate::diagnostics::sensitive::Sensitive;
use crate::documents::edits::Edits;
use crate::documents::layers::Layers;
use crate::documents::origins::Origins;
use crate::documents::overlay;
use crate::history::Pending;
use crate::journal::Before;
use crate::status::timestamp;
use crate::storage::failpoints::kill;
use crate::storage::replaced;

/// The kind of a rollback in the record of the overlay.
const KIND: &str = "rollback";

/// The result of writing: the record, and the copies of edits that were replaced.
type Written = (Pending, Vec<String>);

/// The writer of the files of a rollback.
struct Writer {
    layers: Layers,
    origins: Arc<Origins>,
    sensitive: Arc<Sensitive>,
    directory: PathBuf,
    /// The number of the generation that is served, for the names of copies.
    number: u64,
    edits: Edits,
    marks: Edits,
}

impl Writer {
    fn save(&self, name: &str, edit: &[u8]) -> io::Result<PathBuf> {
        replaced::save(&self.directory, self.number, name, edit)
    }

    /// Writes the files. Blocks.
    ///
    /// # Errors
    /// The reason; the files are then as they were.
    fn write(&self, plan: &CurrentFiles, request: &RollbackRequest) -> Result<Written, String> {
        let (layers, now) = (&self.layers, timestamp(SystemTime::now()));
        layers.clear(self.edits.iter().map(|(name, _)| name), &self.origins, now);
        let known = |name: &str| plan.current.get(name).and_then(Option::as_deref);
        let before = commit::before(layers, &known, &self.edits).map_err(in_words)?;
        let save = |name: &str, edit: &[u8]| self.save(name, edit);
        commit::settle_displaced(layers, &before, &save)
            .map_err(|error| format!("an earlier edit of the files cannot be saved: {error}"))?;
        let mut copies = Vec::new();
        for name in &plan.lost {
            let text = known(name).unwrap_or_default();
            let copy = self.save(name, text.as_bytes());
            let copy = copy.map_err(|error| format!("no copy of {name} can be saved: {error}"))?;
            tracing::warn!(file = name, copy = %copy.display(), "the rollback replaces an edit that is not live; a copy is saved");
            copies.push(copy.display().to_string());
        }
        let pending = Pending { to: request.to, by: request.by.clone(), before, is_live: false };
        let failed = |error: io::Error| format!("the rollback cannot be recorded: {error}");
        pending.write(&self.directory).map_err(failed)?;
        kill("rollback-staged");
        if let Err(reason) = self.write_recorded(&pending) {
            if reason.is_undone {
                self.forget(&pending);
            }
            return Err(reason.text);
        }
        kill("rollback-written");
        Ok((pending, copies))
    }

    fn write_recorded(&self, pending: &Pending) -> Result<(), Failure> {
        let undone = |text: String| Failure { text, is_undone: true };
        let id = change_of(pending.to);
        self.origins.mark([(id.as_str(), &self.marks)].into_iter()).map_err(|error| {
            undone(format!("the record of what came from a control plane cannot be written: {error}"))
        })?;
        let at = timestamp(SystemTime::now());
        let overlaid = pending.before.iter().filter_map(|file| {
            let write = overlay::Write {
                digest: file.written.clone(),
                change: id.clone(),
                kind: KIND.to_owned(),
                at,
            };
            let base = file.overlay.as_ref().filter(|_| !file.is_removed())?;
            Some((file.name.as_str(), base.digest.clone(), write))
        });
        self.layers
            .record(overlaid)
            .map_err(|error| undone(format!("the record of the overlay cannot be written: {error}")))?;
        let save = |name: &str, edit: &[u8]| self.save(name, edit);
        let modes = Modes { sensitive: &self.sensitive, keeps: true };
        let written = commit::write(&self.layers, &self.edits, &pending.before, modes, &save);
        written.map_err(|error| {
            let is_stuck = match &error {
                WriteError::Io { file, error } => self.layers.found_stuck(file, error),
                _ => false,
            };
            let is_undone = !matches!(error, WriteError::Partial { .. });
            let again = if is_stuck { "; try again: it is written to the overlay then" } else { "" };
            Failure { text: format!("{}{again}", in_words(error)), is_undone }
        })
    }

    /// Forgets a rollback whose files are as they were. Otherwise its record stays, for the next start.
    fn forget(&self, pending: &Pending) {
        unmark(&self.origins, pending);
        if let Err(error) = Pending::remove(&self.directory) {
            tracing::error!(%error, "the record of a rollback that was undone cannot be removed");
        }
    }
}

/// The failure of a write.
struct Failure {
    text: String,
    /// Set if the files are as they were.
    is_undone: bool,
}

/// The files as the plan has seen them.
struct CurrentFiles {
    current: std::collections::BTreeMap<String, Option<String>>,
    lost: Vec<String>,
}

/// Returns what stands for a change in the records of the overlay and of the origins.
fn change_of(to: u64) -> String {
    format!("to generation {to}")
}

fn unmark(origins: &Origins, pending: &Pending) {
    let names = pending.before.iter().map(|file| file.name.as_str()).collect();
    origins.unmark(&[(change_of(pending.to).as_str(), names)]);
}

fn in_words(error: WriteError) -> String {
    match error {
        WriteError::Edited(file) => format!("{file} was edited meanwhile; look at it, and try again"),
        error => error.to_string(),
    }
}

impl Applier {
    /// Writes the files of a rollback.
    ///
    /// # Errors
    /// The reason; the files are then as they were.
    pub(super) async fn write_rollback(
        &self,
        request: &RollbackRequest,
        plan: &Plan,
    ) -> Result<Written, String> {
        let serving = self.published.snapshot();
        let writer = Writer {
            layers: self.layers.clone(),
            origins: Arc::clone(&self.surroundings.origins),
            sensitive: serving.documents.sensitive(),
            directory: self.history.directory().to_owned(),
            number: serving.generation,
            edits: plan.edits.clone(),
            marks: plan.marks.clone(),
        };
        let files = CurrentFiles { current: plan.current.clone(), lost: plan.lost.clone() };
        let request = request.clone();
        let written = tokio::task::spawn_blocking(move || writer.write(&files, &request)).await;
        written.unwrap_or_else(|_| Err("writing the files failed; the log has the panic".to_owned()))
    }

    /// Records that a rollback is live. A failure is only logged: after a kill its files would be restored.
    pub(in crate::apply) async fn record_live(&self, pending: &Pending) {
        let live = Pending { is_live: true, ..pending.clone() };
        let directory = self.history.directory().to_owned();
        let written = tokio::task::spawn_blocking(move || live.write(&directory)).await;
        if let Err(error) = written.map_err(io::Error::other).and_then(|written| written) {
            tracing::warn!(%error, "the rollback cannot be recorded as live");
        }
        kill("rollback-live");
    }

    /// Restores the files of a rollback that is not live.
    ///
    /// # Errors
    /// Some of its files are left. The next start restores them.
    pub(super) async fn restore_rollback(&self, pending: &Pending) -> Result<(), String> {
        let (layers, origins) = (self.layers.clone(), Arc::clone(&self.surroundings.origins));
        let (directory, pending) = (self.history.directory().to_owned(), pending.clone());
        let number = self.published.snapshot().generation;
        let work = move || undo(&layers, &origins, &directory, &pending, number);
        let undone = tokio::task::spawn_blocking(work).await;
        let failed = "the files as they were before cannot all be restored; the next start tries again";
        if undone.unwrap_or(false) { Ok(()) } else { Err(failed.to_owned()) }
    }

    /// Removes what a rollback that is live has displaced, and its record.
    pub(super) async fn finish_rollback(&self, pending: &Pending) {
        let (layers, pending) = (self.layers.clone(), pending.clone());
        let directory = self.history.directory().to_owned();
        let number = self.published.snapshot().generation;
        let work = move || finish(&layers, &directory, &pending, number);
        let _ = tokio::task::spawn_blocking(work).await;
    }
}

/// Restores the files, and forgets the rollback. Returns false when some of its text is left.
fn undo(layers: &Layers, origins: &Origins, directory: &Path, pending: &Pending, number: u64) -> bool {
    let save = |name: &str, edit: &[u8]| replaced::save(directory, number, name, edit);
    commit::complete(layers, &on_disk(&pending.before));
    if !commit::restore(layers, &pending.before, &save) {
        return false;
    }
    unmark(origins, pending);
    match Pending::remove(directory) {
        Ok(()) => true,
        Err(error) => {
            tracing::error!(%error, "the record of a rollback that was undone cannot be removed");
            true
        }
    }
}

/// Returns the files that are replaced: removed ones are put back by [`commit::restore`].
fn on_disk(before: &[Before]) -> Vec<Before> {
    before.iter().filter(|file| !file.is_removed()).cloned().collect()
}

fn finish(layers: &Layers, directory: &Path, pending: &Pending, number: u64) {
    let save = |name: &str, edit: &[u8]| replaced::save(directory, number, name, edit);
    let settled = commit::settle_displaced(layers, &pending.before, &save);
    kill("rollback-settled");
    if let Err(error) = settled.and_then(|()| Pending::remove(directory)) {
        tracing::error!(%error, "what a rollback replaced cannot be removed");
    }
}

/// Undoes a rollback that a kill interrupted before it was live, and finishes one that was live. Returns the latter. Blocks.
pub(crate) fn recover(layers: &Layers, origins: &Origins, directory: &Path) -> Option<Pending> {
    let pending = match Pending::read(directory) {
        Ok(pending) => pending?,
        Err(error) => {
            tracing::error!(%error, "the record of a rollback cannot be read; its files stay as they are");
            return None;
        }
    };
    if pending.is_live {
        tracing::info!(to = pending.to, "a rollback was live before the process ended; it is finished");
        finish(layers, directory, &pending, 0);
        return Some(pending);
    }
    tracing::warn!(to = pending.to, by = %pending.by, "a rollback was interrupted before it was live; it is undone");
    if !undo(layers, origins, directory, &pending, 0) {
        tracing::error!("the files as they were before the rollback cannot all be restored");
    }
    kill("rollback-undone");
    None
}
