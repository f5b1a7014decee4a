//! Recovery, before the first configuration is read: a process that was killed may have left a change half written.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use provider_api::{RejectionClass, RejectionReport};
use tokio::time::Instant;

use crate::apply::{commit, rollback};
use crate::audit::Place;
use crate::config::Proxy;
use crate::diagnostics::problem::Problems;
use crate::diagnostics::rejection::Rejection;
use crate::documents::layers::Layers;
use crate::documents::origins::Origins;
use crate::documents::{Documents, Touched};
use crate::history::{self, Opened};
use crate::journal::{Entry, Journal, Phase, Settlement, TRIES, Verdict};
use crate::last_good::{self, Generation, Ring};
use crate::storage::atomic_file;
use crate::storage::digest::Digest;
use crate::storage::failpoints::kill;
use crate::storage::lock::{Lock, RETRY_INTERVAL, TAKE_TIMEOUT};

/// Returns the directory of the journal of the gateway `id`. The digest replaces an id that is no safe directory name.
pub(crate) fn journal_directory(state: &Path, id: &str) -> PathBuf {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
    let plain = !id.is_empty() && id.len() <= 64 && !id.starts_with('.') && id.bytes().all(allowed);
    let name = if plain { id.to_owned() } else { format!("{:#}", Digest::of(id.as_bytes())) };
    state.join(name).join("harmony").join("journal")
}

/// The state that the previous process left.
#[derive(Debug)]
pub(crate) struct Recovered {
    /// The layers of the configuration, as they are after the recovery.
    pub(crate) layers: Layers,
    /// The journal, when it exists and could be opened.
    pub(crate) journal: Option<Arc<Journal>>,
    pub(crate) ring: Ring,
    /// The newest intact generation.
    pub(crate) saved: Option<Generation>,
    /// The history of generations.
    pub(crate) history: Opened,
    /// The error for which the journal was not opened.
    journal_error: Option<io::Error>,
}

/// Recovers as soon as no other gateway uses the configuration. The ring then holds the lock. Waits for the journal's
/// lock as long, and then starts without it: the sync loop opens the journal later and reports the error until then.
///
/// # Errors
/// Another gateway runs on this configuration. Nothing was changed.
pub(crate) async fn recover(config_path: &Path, state: &Path) -> Result<Recovered, Rejection> {
    let until = Instant::now() + TAKE_TIMEOUT;
    loop {
        let (path, directory) = (config_path.to_owned(), state.to_owned());
        let recovering = tokio::task::spawn_blocking(move || recover_once(&path, &directory)).await;
        let last = Instant::now() >= until;
        match recovering {
            Ok(Ok(recovered)) if last || !recovered.journal_error.as_ref().is_some_and(is_locked) => {
                if let Some(error) = &recovered.journal_error {
                    tracing::error!(%error, "the journal cannot be opened; the gateway does not sync until it can be");
                }
                return Ok(recovered);
            }
            Ok(Err(error)) if last => {
                let help = "stop the other gateway, or give this one its own configuration";
                return Err(rejection(&format!("another gateway runs on this configuration: {error}"), help));
            }
            Ok(_) => tokio::time::sleep(RETRY_INTERVAL).await,
            Err(_) => {
                let help = "read the log; to start without the state directory, move it away";
                return Err(rejection("the recovery of the state directory panicked", help));
            }
        }
    }
}

fn is_locked(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock
}

fn rejection(message: &str, help: &str) -> Rejection {
    let mut problems = Problems::default();
    problems.error(None, "state", message).help(help);
    Rejection::new(RejectionClass::Build, problems)
}

/// Rolls back the files of changes that were never live; the gateway applies these changes again once it serves.
/// Settles changes that were live as applied. Blocks.
///
/// # Errors
/// Another gateway runs on this configuration. Nothing was changed.
fn recover_once(config_path: &Path, state: &Path) -> io::Result<Recovered> {
    let directory = last_good::directory(state, config_path);
    let lock = match Lock::take(&directory) {
        Ok(lock) => Some(lock),
        Err(error) if is_locked(&error) => return Err(error),
        // The state directory is unusable, such as on a read-only disk. The gateway must serve all the same.
        Err(error) => {
            tracing::warn!(%error, "the state directory cannot be used; another gateway on this configuration would not be detected");
            None
        }
    };
    let (ring, saved) = Ring::open(directory, lock);
    let layers = Layers::open(state, config_path);
    Place::new(state, config_path, None).sweep();
    let history = history::directory(state, config_path);
    let unrecorded = rollback::recover(&layers, &Origins::open(state, config_path), &history);
    let history = Opened::open(history, unrecorded);
    let loaded = Documents::load(&layers, None, None, &Touched::Everything);
    let saved_files = saved.as_ref().map(|saved| Documents::from_saved(config_path, &saved.files));
    // A damaged config.toml may not name the directories and the gateway id; the saved one does.
    let proxy = proxy_of(&loaded.documents).or_else(|| proxy_of(&saved_files.as_ref()?.documents));
    let (journal, journal_error) = match proxy.map(|proxy| replay(&layers, state, proxy)) {
        Some(Ok(journal)) => (journal, None),
        Some(Err(error)) => (None, Some(error)),
        None => (None, None),
    };
    Ok(Recovered { layers, journal, ring, saved, history, journal_error })
}

fn proxy_of(documents: &Documents) -> Option<&Proxy> {
    documents.gateway().map(|gateway| &gateway.proxy)
}

/// Opens the journal, when it exists, and settles or rolls back what was interrupted.
///
/// # Errors
/// As [`Journal::open`].
fn replay(layers: &Layers, state: &Path, proxy: &Proxy) -> io::Result<Option<Arc<Journal>>> {
    let directories = [&proxy.pipelines_path, &proxy.mesh_path, &proxy.transforms_path];
    let directories: Vec<&str> = directories.iter().map(|directory| directory.path.as_str()).collect();
    layers.sweep(directories.iter().copied());
    atomic_file::sweep(&Origins::directory(state, layers.config_path()));
    let directory = journal_directory(state, &proxy.id);
    if !directory.is_dir() {
        return Ok(None);
    }
    let journal = Journal::open(&directory)?;
    let origins = Origins::open(state, layers.config_path());
    if let Err(error) = settle_live(&journal).and_then(|()| roll_back(layers, &journal, &origins)) {
        tracing::error!(%error, "the journal cannot be written");
    }
    save_left(layers, &directories, &journal);
    Ok(Some(journal))
}

/// Settles the changes that were live.
fn settle_live(journal: &Journal) -> io::Result<()> {
    let all = journal.all();
    let live: Vec<&Arc<Entry>> = all.iter().filter(|entry| entry.phase == Phase::Activated).collect();
    if live.is_empty() {
        return Ok(());
    }
    for entry in &live {
        tracing::info!(change = entry.id, "a change was live before its verdict was recorded; it is applied");
    }
    let applied = live.into_iter().map(|entry| Verdict {
        sequence: entry.sequence,
        settlement: Settlement::Applied,
        quarantine: None,
    });
    journal.settle(applied.collect())?;
    kill("recovered");
    Ok(())
}

/// Restores the files of the changes that were never live, and then records that. A kill between the two repeats it.
fn roll_back(layers: &Layers, journal: &Journal, origins: &Origins) -> io::Result<()> {
    let all = journal.all();
    let mut restored = Vec::new();
    for entry in &all {
        let Some(before) = entry.phase.before() else { continue };
        tracing::info!(change = entry.id, "a change without a verdict is rolled back and applied again");
        commit::complete(layers, before);
        let edited = commit::edited(layers, before);
        let save = |name: &str, edit: &[u8]| journal.save_replaced(entry.sequence, name, edit);
        if commit::restore_with_origins(layers, &[(entry.id.as_str(), before)], origins, &save) {
            restored.push((entry, edited));
        }
        kill("restored");
    }
    if restored.is_empty() {
        return Ok(());
    }
    let sequences: Vec<u64> = restored.iter().map(|(entry, _)| entry.sequence).collect();
    journal.rolled_back(&sequences)?;
    kill("recovered");
    let rejected: Vec<Verdict> =
        restored.iter().filter_map(|(entry, edited)| final_rejection(entry, edited)).collect();
    if rejected.is_empty() { Ok(()) } else { journal.settle(rejected) }
}

/// Removes the files that a change displaced, and that no change in the journal puts back. A copy of each is saved: it may
/// be an edit.
fn save_left(layers: &Layers, directories: &[&str], journal: &Journal) {
    let last = journal.all().last().map_or(0, |entry| entry.sequence);
    for (path, name) in layers.left_by_writes(directories.iter().copied()) {
        let removed = fs::read(&path).and_then(|bytes| {
            let copy = journal.save_replaced(last, &name, &bytes)?;
            tracing::info!(file = name, copy = %copy.display(), "a copy of a replaced file is saved");
            atomic_file::remove(&path)
        });
        if let Err(error) = removed {
            tracing::error!(file = %path.display(), %error, "a file that was replaced cannot be removed");
        }
    }
}

/// Returns the rejection of a change that must not be tried again: one of its files was edited by hand after the kill, and
/// the newest edit wins; or the process has ended [`TRIES`] times while it applied the change, so the change may be the
/// cause.
fn final_rejection(entry: &Entry, edited: &[String]) -> Option<Verdict> {
    let rejected = |class, summary: String| {
        let rejection = RejectionReport { class, summary, problems: Vec::new() };
        Some(Verdict { sequence: entry.sequence, settlement: rejection.into(), quarantine: None })
    };
    if entry.settlement.is_some() {
        return None;
    }
    if let Some(file) = edited.first() {
        let summary =
            format!("{file} was edited by hand after the process ended while it applied the change");
        return rejected(RejectionClass::Superseded, summary);
    }
    if entry.tries < TRIES {
        return None;
    }
    rejected(RejectionClass::Build, format!("the process ended {TRIES} times while it applied the change"))
}

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;
