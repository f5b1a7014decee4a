//! The pause of the sync: a switch that an operator sets, and a file that keeps it over restarts.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use provider_api::{Error, Result};
use tokio::sync::{Mutex, watch};

use crate::status::{Pause, StatusBoard, timestamp};
use crate::storage::{atomic_file, io_error};

/// The directory of the file, beside the journal. It has no other files: an operator may pause the sync while the journal is
/// opened, which removes temporary files of killed processes beside it.
const DIRECTORY: &str = "pause";

/// The name of the file.
const NAME: &str = "paused.json";

/// The switch that pauses the sync.
#[derive(Debug)]
pub(crate) struct PauseSwitch {
    file: PathBuf,
    now: watch::Sender<Option<Pause>>,
    status: Arc<StatusBoard>,
    /// Held while the file is written, so that the file and the switch have the same order of changes.
    writing: Mutex<()>,
}

impl PauseSwitch {
    /// Opens the switch, set as an earlier process has left it. Does blocking I/O. A file that cannot be read pauses the sync:
    /// an operator who paused it must not be overruled by a damaged disk.
    pub(crate) fn open(journal: &Path, status: Arc<StatusBoard>) -> Self {
        let directory = journal.with_file_name(DIRECTORY);
        atomic_file::sweep(&directory);
        let file = directory.join(NAME);
        let pause = match std::fs::read(&file) {
            Ok(bytes) => {
                Some(serde_json::from_slice(&bytes).unwrap_or_else(|error| unreadable(&file, &error)))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => Some(unreadable(&file, &error)),
        };
        if let Some(pause) = &pause {
            tracing::warn!("the sync {}; `harmony-host resume` ends the pause", pause.in_words());
        }
        status.paused(pause.clone());
        Self { file, now: watch::Sender::new(pause), status, writing: Mutex::new(()) }
    }

    /// Pauses the sync, or replaces the present pause. No change is begun from now on.
    ///
    /// # Errors
    /// Unavailable when the pause cannot be recorded; the sync is not paused then.
    pub(crate) async fn set(&self, pause: Pause) -> Result<()> {
        let (file, bytes) = (self.file.clone(), serde_json::to_vec(&pause));
        let bytes = bytes.map_err(|error| Error::unavailable(error.to_string()))?;
        self.change(Some(pause), move || {
            if let Some(directory) = file.parent() {
                atomic_file::make_directory(directory, 0o700).map_err(io_error::at(directory))?;
            }
            atomic_file::write(&file, &bytes, 0o600).map_err(io_error::at(&file))
        })
        .await
    }

    /// Ends the pause.
    ///
    /// # Errors
    /// Unavailable when that cannot be recorded; the sync stays paused then.
    pub(crate) async fn clear(&self) -> Result<()> {
        let file = self.file.clone();
        self.change(None, move || atomic_file::remove(&file).map_err(io_error::at(&file))).await
    }

    async fn change(
        &self,
        pause: Option<Pause>,
        record: impl FnOnce() -> io::Result<()> + Send + 'static,
    ) -> Result<()> {
        let _writing = self.writing.lock().await;
        let failed = |cause: String| Error::unavailable(format!("the pause cannot be recorded: {cause}"));
        let recorded = tokio::task::spawn_blocking(record).await.map_err(|e| failed(e.to_string()))?;
        recorded.map_err(|e| failed(e.to_string()))?;
        self.status.paused(pause.clone());
        self.now.send_replace(pause);
        Ok(())
    }

    /// Returns the present pause.
    pub(crate) fn current(&self) -> Option<Pause> {
        self.now.borrow().clone()
    }

    /// Returns whether the sync is paused.
    pub(super) fn is_set(&self) -> bool {
        self.now.borrow().is_some()
    }

    /// Returns a receiver that sees the changes from now on.
    pub(super) fn follow(&self) -> watch::Receiver<Option<Pause>> {
        self.now.subscribe()
    }

    /// Returns the time until the pause ends by itself; `None` if it does not.
    pub(super) fn left(&self, now: SystemTime) -> Option<Duration> {
        let until = self.now.borrow().as_ref()?.until?;
        // A time that the clock of this machine cannot have is over.
        let until = SystemTime::try_from(until).unwrap_or(SystemTime::UNIX_EPOCH);
        Some(until.duration_since(now).unwrap_or_default())
    }
}

/// Returns the pause that replaces one whose record cannot be read.
fn unreadable(file: &Path, error: &dyn std::fmt::Display) -> Pause {
    let reason =
        format!("{} cannot be read ({error}), so it is not known if the sync was paused", file.display());
    Pause::new(timestamp(SystemTime::now()), "the gateway itself", reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pause() -> Pause {
        let now = timestamp(SystemTime::now());
        Pause::new(now, "alice", "a broken release").until(Some(now))
    }

    #[tokio::test]
    async fn pause_is_kept_until_it_is_cleared() {
        let directory = tempfile::tempdir().unwrap();
        let journal = directory.path().join("state/journal");
        let open = || PauseSwitch::open(&journal, StatusBoard::new());
        assert_eq!(open().current(), None);
        open().set(pause()).await.unwrap();
        assert_eq!(open().current().unwrap().reason, "a broken release");
        assert_eq!(open().left(SystemTime::now() + Duration::from_secs(9)), Some(Duration::ZERO));
        open().clear().await.unwrap();
        open().clear().await.unwrap();
        assert_eq!(open().current(), None);
    }

    #[tokio::test]
    async fn damaged_record_pauses() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join(DIRECTORY)).unwrap();
        std::fs::write(directory.path().join(DIRECTORY).join(NAME), b"{\"since\":").unwrap();
        let status = StatusBoard::new();
        let switch = PauseSwitch::open(&directory.path().join("journal"), Arc::clone(&status));
        assert!(switch.is_set() && status.read().paused.is_some());
        assert!(switch.current().unwrap().reason.contains(NAME));
        switch.clear().await.unwrap();
        assert!(status.read().paused.is_none());
    }
}
