//! The journal of the sync loop, opened on first use.

use std::path::PathBuf;
use std::sync::Arc;

use provider_api::{Error, Result};

use crate::journal::Journal;

/// The journal, opened when it is first needed: a gateway without a remote provider has none.
#[derive(Debug)]
pub(crate) struct LazyJournal {
    pub(crate) directory: PathBuf,
    pub(crate) open: Option<Arc<Journal>>,
}

impl LazyJournal {
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
    written.map_err(|cause| Error::unavailable(format!("the journal cannot be written: {cause}")))
}
