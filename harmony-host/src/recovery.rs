//! What is done before the first configuration is read: a process that was killed may have left a change half
//! written.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use provider_api::{RejectionClass, RejectionReport};
use tokio::time::Instant;

use crate::apply::commit;
use crate::config::Proxy;
use crate::diagnostics::problem::Problems;
use crate::diagnostics::rejection::Rejection;
use crate::documents::{Documents, Touched};
use crate::journal::{Entry, Journal, Phase, Settlement, TRIES};
use crate::last_good::{self, Generation, Ring};
use crate::storage::atomic_file;
use crate::storage::digest::Digest;
use crate::storage::failpoints::kill;
use crate::storage::lock::{Lock, RETRY_INTERVAL, TAKE_TIMEOUT};

/// Where the journal of the gateway `id` is. An id that may not become a directory's name is replaced by its
/// digest.
pub(crate) fn journal_directory(state: &Path, id: &str) -> PathBuf {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
    let plain = !id.is_empty() && id.len() <= 64 && !id.starts_with('.') && id.bytes().all(allowed);
    let name = if plain { id.to_owned() } else { format!("{:#}", Digest::of(id.as_bytes())) };
    state.join(name).join("harmony").join("journal")
}

/// What was left here by the process before.
#[derive(Debug)]
pub(crate) struct Recovered {
    /// The journal, when there is one.
    pub(crate) journal: Option<Arc<Journal>>,
    pub(crate) ring: Ring,
    /// The newest configuration that is kept whole.
    pub(crate) saved: Option<Generation>,
    /// Why there is a journal and it was not replayed.
    unopened: Option<io::Error>,
}

/// Recovers as soon as nobody else works on the configuration, which is then this gateway's alone for as long as the
/// ring lives. The journal is waited for as long, and then done without: what goes on with it says the sync loop.
///
/// # Errors
/// Another gateway runs on this configuration. Nothing was changed.
pub(crate) async fn recovered(config_path: &Path, state: &Path) -> Result<Recovered, Rejection> {
    let until = Instant::now() + TAKE_TIMEOUT;
    loop {
        let (path, directory) = (config_path.to_owned(), state.to_owned());
        let recovering = tokio::task::spawn_blocking(move || recover(&path, &directory)).await;
        let last = Instant::now() >= until;
        match recovering {
            Ok(Ok(recovered)) if last || !recovered.unopened.as_ref().is_some_and(is_taken) => {
                if let Some(error) = &recovered.unopened {
                    tracing::error!(%error, "the journal cannot be opened; no changes are followed until it can be");
                }
                return Ok(recovered);
            }
            Ok(Err(error)) if last => {
                let help = "stop that one first, or give this one a configuration of its own";
                return Err(refused(&format!("another gateway runs on this configuration: {error}"), help));
            }
            Ok(_) => tokio::time::sleep(RETRY_INTERVAL).await,
            Err(_) => {
                let help = "the log says what happened; moving the state directory away starts without it";
                return Err(refused("what was left here cannot be looked through", help));
            }
        }
    }
}

fn is_taken(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock
}

fn refused(message: &str, help: &str) -> Rejection {
    let mut problems = Problems::default();
    problems.error(None, "state", message).help(help);
    Rejection::new(RejectionClass::Build, problems)
}

/// Looks through what is left here, and takes back what changes wrote that were not seen live: they are applied again
/// once the gateway serves, and then get their verdict. What was seen live is applied. Blocks.
///
/// # Errors
/// Another gateway runs on this configuration. Nothing was changed.
fn recover(config_path: &Path, state: &Path) -> io::Result<Recovered> {
    let directory = last_good::directory(state, config_path);
    let lock = match Lock::take(&directory) {
        Ok(lock) => Some(lock),
        Err(error) if is_taken(&error) => return Err(error),
        // Nothing can be kept there either; that is no reason not to serve.
        Err(error) => {
            tracing::warn!(state = %directory.display(), %error, "the state directory cannot be used; another gateway on this configuration would not be noticed");
            None
        }
    };
    let (ring, saved) = Ring::open(directory, lock);
    let loaded = Documents::load(config_path, None, None, &Touched::Everything);
    let whole = saved.as_ref().map(|saved| Documents::from_saved(config_path, &saved.files));
    // The files may be so damaged that they do not say where the others are.
    let proxy = proxy_of(&loaded.documents).or_else(|| proxy_of(&whole.as_ref()?.documents));
    let (journal, unopened) = match proxy.map(|proxy| replay(config_path, state, proxy)) {
        Some(Ok(journal)) => (journal, None),
        Some(Err(error)) => (None, Some(error)),
        None => (None, None),
    };
    Ok(Recovered { journal, ring, saved, unopened })
}

fn proxy_of(documents: &Documents) -> Option<&Proxy> {
    documents.fragments().find_map(|fragment| fragment.gateway.as_ref()).map(|gateway| &gateway.proxy)
}

fn replay(config_path: &Path, state: &Path, proxy: &Proxy) -> io::Result<Option<Arc<Journal>>> {
    let root = config_path.parent().map(Path::to_owned).unwrap_or_default();
    atomic_file::sweep(&root);
    for directory in [&proxy.pipelines_path, &proxy.mesh_path, &proxy.transforms_path] {
        atomic_file::sweep(&root.join(&directory.path));
    }
    let directory = journal_directory(state, &proxy.id);
    if !directory.is_dir() {
        return Ok(None);
    }
    let journal = Journal::open(&directory)?;
    for entry in journal.all() {
        let sequence = entry.sequence;
        let noted = match (&entry.phase, entry.phase.before()) {
            (Phase::Activated, _) => {
                tracing::info!(change = entry.id, "a change was seen live before its verdict was noted");
                journal.settle(sequence, Settlement::Applied, None)
            }
            (_, Some(before)) => {
                tracing::info!(
                    change = entry.id,
                    "a change without a verdict is taken back, to be applied again"
                );
                let edited = commit::edited(&root, before);
                match commit::restore(&root, before) {
                    true => journal.taken_back(sequence).and_then(|()| given_up(&journal, &entry, &edited)),
                    false => Ok(()),
                }
            }
            _ => Ok(()),
        };
        if let Err(error) = noted {
            tracing::error!(%error, "the journal cannot be written");
        }
        kill("recovered");
    }
    Ok(Some(journal))
}

/// Rejects a change that is not to be tried again: a file of it was edited after the kill, and the last one wins; or
/// the process has ended again and again while it was applied.
fn given_up(journal: &Journal, entry: &Entry, edited: &[String]) -> std::io::Result<()> {
    let rejected = |class, summary: String| {
        let rejection = RejectionReport { class, summary, problems: Vec::new() };
        journal.settle(entry.sequence, rejection.into(), None)
    };
    if entry.settlement.is_some() {
        return Ok(());
    }
    if let Some(file) = edited.first() {
        let summary =
            format!("{file} was edited by hand after the gateway was ended while it applied the change");
        return rejected(RejectionClass::Superseded, summary);
    }
    match entry.tries >= TRIES {
        true => rejected(
            RejectionClass::Build,
            format!("the gateway was ended {TRIES} times while it applied the change"),
        ),
        false => Ok(()),
    }
}

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;
