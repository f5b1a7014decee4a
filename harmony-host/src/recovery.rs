//! What is done before the first configuration is read: a process that was killed may have left a change half
//! written.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::atomic_file;
use crate::commit;
use crate::digest::Digest;
use crate::documents::{Documents, Touched};
use crate::journal::{Journal, Phase};

/// Where the journal of the gateway `id` is. An id that may not become a directory's name is replaced by its
/// digest.
pub(crate) fn journal_directory(state: &Path, id: &str) -> PathBuf {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
    let plain = !id.is_empty() && id.len() <= 64 && !id.starts_with('.') && id.bytes().all(allowed);
    let name = if plain { id.to_owned() } else { format!("{:#}", Digest::of(id.as_bytes())) };
    state.join(name).join("harmony").join("journal")
}

/// Takes back what changes without a verdict wrote: they are applied again once the gateway serves, and then
/// get their verdict. Returns the journal, when there is one. Blocks.
pub(crate) fn recover(config_path: &Path, state: &Path) -> Option<Arc<Journal>> {
    let loaded = Documents::load(config_path, None, None, &Touched::Everything);
    let gateway = loaded.documents.fragments().find_map(|fragment| fragment.gateway.as_ref())?;
    let root = config_path.parent().map(Path::to_owned).unwrap_or_default();
    let proxy = &gateway.proxy;
    atomic_file::sweep(&root);
    for directory in [&proxy.pipelines_path, &proxy.mesh_path, &proxy.transforms_path] {
        atomic_file::sweep(&root.join(&directory.path));
    }
    let directory = journal_directory(state, &proxy.id);
    if !directory.is_dir() {
        return None;
    }
    let journal = match Journal::open(&directory) {
        Ok(journal) => journal,
        Err(error) => {
            tracing::error!(journal = %directory.display(), %error, "the journal cannot be opened");
            return None;
        }
    };
    for entry in journal.unsettled() {
        let Phase::Committing { before } = &entry.phase else { continue };
        tracing::info!(
            change = entry.id,
            "a change without a verdict is taken back; it will be applied again"
        );
        if commit::take_back(&root, before)
            && let Err(error) = journal.taken_back(entry.sequence)
        {
            tracing::error!(%error, "the journal cannot be written");
        }
    }
    Some(journal)
}
