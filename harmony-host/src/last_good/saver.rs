//! Saving committed configurations in the background.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use provider_api::Clock;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::last_good::{Generation, Metadata, Ring};
use crate::providers::resolutions::Resolutions;
use crate::snapshot::Snapshot;
use crate::status::{LastGoodStatus, StatusBoard, timestamp};
use crate::storage::complaint;
use crate::storage::digest::Digest;
use crate::storage::failpoints::kill;

/// The interval at which new resolutions and provider data are saved.
const INTERVAL: Duration = Duration::from_secs(5);

/// The pause after a save, as a multiple of its time. A save writes the whole configuration, so that of many edits in a row only
/// some are saved. A slow disk delays the next one by [`INTERVAL`] at most.
const PAUSE: u32 = 4;

/// Returns the directory of a configuration's generations. It depends on the path of config.toml, not on its content,
/// which may be damaged when the directory is needed.
pub(crate) fn directory(state: &Path, config_path: &Path) -> PathBuf {
    let digest = Digest::of(config_path.as_os_str().as_encoded_bytes());
    state.join("harmony").join("last-good").join(format!("{digest:#}"))
}

/// The saver of committed configurations. It runs in the background: neither a request nor a change waits for the disk.
#[derive(Debug)]
pub(crate) struct LastGood {
    ring: Mutex<Ring>,
    resolutions: Arc<Resolutions>,
    clock: Arc<dyn Clock>,
    status: Arc<StatusBoard>,
    served: Mutex<Option<Arc<Snapshot>>>,
    /// The metadata of the last save.
    written: Mutex<Option<Metadata>>,
    work: Notify,
}

impl LastGood {
    pub(crate) fn new(
        ring: Ring,
        resolutions: Arc<Resolutions>,
        clock: Arc<dyn Clock>,
        status: Arc<StatusBoard>,
    ) -> Arc<Self> {
        let ring = Mutex::new(ring);
        let (served, written) = (Mutex::default(), Mutex::default());
        Arc::new(Self { ring, resolutions, clock, status, served, written, work: Notify::new() })
    }

    /// Schedules the save of a snapshot that was just committed.
    pub(crate) fn committed(&self, snapshot: Arc<Snapshot>) {
        *lock(&self.served) = Some(snapshot);
        self.work.notify_one();
    }

    /// Saves each committed snapshot, and new data about it. Runs until it is dropped; cancel safe.
    pub(crate) async fn run(self: Arc<Self>) {
        loop {
            let _ = tokio::time::timeout(INTERVAL, self.work.notified()).await;
            let (saver, began) = (Arc::clone(&self), Instant::now());
            let _ = tokio::task::spawn_blocking(move || saver.save()).await;
            tokio::time::sleep((began.elapsed() * PAUSE).min(INTERVAL)).await;
        }
    }

    /// Saves the snapshot that is served, unless nothing has changed since the last save. Blocks.
    pub(crate) fn save(&self) {
        let Some(snapshot) = lock(&self.served).clone() else { return };
        let mut written = lock(&self.written);
        let now = self.clock.now();
        let metadata = Metadata::of(&snapshot, &self.resolutions);
        if written.as_ref() == Some(&metadata) {
            return;
        }
        let saved = lock(&self.ring).save(&Generation::of(&snapshot, metadata.clone(), now));
        kill("kept");
        let failure = saved.as_ref().err().map(ToString::to_string);
        match saved {
            Ok(_) => *written = Some(metadata),
            Err(error) if self.is_news(&error.to_string()) => {
                let message = "the configuration that is served cannot be saved for a restart";
                complaint::complain("last good", &error, message);
            }
            Err(_) => {}
        }
        self.record(now, failure);
    }

    /// Returns true when the error differs from the last one: the log does not repeat an error every few seconds.
    fn is_news(&self, error: &str) -> bool {
        let before = self.status.read();
        let before = before.last_good.as_ref().and_then(|saved| saved.failure.as_deref());
        before != Some(error)
    }

    fn record(&self, now: SystemTime, failure: Option<String>) {
        self.status.change(|status| {
            let before = status.last_good.as_ref().and_then(|saved| saved.at);
            let at = if failure.is_none() { Some(timestamp(now)) } else { before };
            status.last_good = Some(LastGoodStatus { at, failure });
        });
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
