//! The journal of the sync loop, opened on first use.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use provider_api::{Error, Result};

use crate::journal::Journal;

/// The journal, opened when it is first needed: a gateway without a remote provider has none.
#[derive(Debug)]
pub(crate) struct LazyJournal {
    pub(crate) directory: PathBuf,
    pub(crate) open: Option<Arc<Journal>>,
    /// Set once the journal is open, for those who only read it.
    pub(crate) shared: SharedJournal,
}

/// The journal of a gateway, once it is open.
pub(crate) type SharedJournal = Arc<OnceLock<Arc<Journal>>>;

impl LazyJournal {
    pub(super) fn new(directory: PathBuf, open: Option<Arc<Journal>>, shared: SharedJournal) -> Self {
        if let Some(open) = &open {
            let _ = shared.set(Arc::clone(open));
        }
        Self { directory, open, shared }
    }

    pub(crate) async fn get(&mut self) -> Result<Arc<Journal>> {
        if let Some(open) = &self.open {
            return Ok(Arc::clone(open));
        }
        let directory = self.directory.clone();
        let shown = directory.display().to_string();
        let opened = tokio::task::spawn_blocking(move || Journal::open(&directory)).await;
        let failed =
            |cause: String| Error::unavailable(format!("the journal in {shown} cannot be opened: {cause}"));
        let journal = opened.map_err(|e| failed(e.to_string()))?.map_err(|e| failed(e.to_string()))?;
        self.open = Some(Arc::clone(&journal));
        let _ = self.shared.set(Arc::clone(&journal));
        Ok(journal)
    }
}

/// Writes to the journal.
///
/// # Errors
/// Unavailable, when the journal cannot be written: the sync is tried again.
pub(super) async fn note<T: Send + 'static>(
    journal: &Arc<Journal>,
    write: impl FnOnce(&Journal) -> std::io::Result<T> + Send + 'static,
) -> Result<T> {
    let written = journal.write(write).await;
    written.map_err(|cause| Error::unavailable("the journal cannot be written").with_source(cause))
}
