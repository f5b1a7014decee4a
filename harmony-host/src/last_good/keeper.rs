//! Saving what is committed, off the path of requests and of changes.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use provider_api::Clock;
use tokio::sync::Notify;

use crate::last_good::{Generation, Marks, Ring};

use crate::providers::resolutions::Resolutions;
use crate::snapshot::Snapshot;
use crate::status::{LastGoodStatus, StatusBoard, timestamp};
use crate::storage::digest::Digest;
use crate::storage::failpoints::kill;

/// How often it is looked whether something was learned that a restart should not lose.
const LOOK: Duration = Duration::from_secs(5);

/// Where the generations of a configuration are kept. By the path of its config.toml, since what is in that may be
/// damaged.
pub(crate) fn directory(state: &Path, config_path: &Path) -> PathBuf {
    let digest = Digest::of(config_path.as_os_str().as_encoded_bytes());
    state.join("harmony").join("last-good").join(format!("{digest:#}"))
}

/// Keeps what is committed, off the path of requests and of changes.
#[derive(Debug)]
pub(crate) struct LastGood {
    ring: Mutex<Ring>,
    resolutions: Arc<Resolutions>,
    clock: Arc<dyn Clock>,
    status: Arc<StatusBoard>,
    served: Mutex<Option<Arc<Snapshot>>>,
    /// What was written last.
    written: Mutex<Option<Marks>>,
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

    /// What was just committed; it is kept soon.
    pub(crate) fn committed(&self, snapshot: Arc<Snapshot>) {
        *lock(&self.served) = Some(snapshot);
        self.work.notify_one();
    }

    /// Keeps what is committed, and what is learned about it, for as long as it runs. Cancel safe.
    pub(crate) async fn run(self: Arc<Self>) {
        loop {
            let _ = tokio::time::timeout(LOOK, self.work.notified()).await;
            let keeper = Arc::clone(&self);
            let _ = tokio::task::spawn_blocking(move || keeper.save()).await;
        }
    }

    /// Writes down what is served, unless that is what was written last. Blocks.
    pub(crate) fn save(&self) {
        let Some(snapshot) = lock(&self.served).clone() else { return };
        let mut written = lock(&self.written);
        let now = self.clock.now();
        let marks = Marks::of(&snapshot, &self.resolutions);
        if written.as_ref() == Some(&marks) {
            return;
        }
        let kept = lock(&self.ring).save(&Generation::of(&snapshot, marks.clone(), now));
        kill("kept");
        let failure = kept.err().map(|error| error.to_string());
        match &failure {
            None => *written = Some(marks),
            Some(error) if !self.is_news(error) => {}
            Some(error) => {
                tracing::error!(error, "the configuration that is served cannot be kept for a restart")
            }
        }
        self.note(now, failure);
    }

    /// Whether it is another failure than the one before: the same is not said every few seconds.
    fn is_news(&self, error: &str) -> bool {
        let before = self.status.read();
        let before = before.last_good.as_ref().and_then(|kept| kept.failure.as_deref());
        before != Some(error)
    }

    fn note(&self, now: SystemTime, failure: Option<String>) {
        self.status.change(|status| {
            let before = status.last_good.as_ref().and_then(|kept| kept.at);
            let at = if failure.is_none() { Some(timestamp(now)) } else { before };
            status.last_good = Some(LastGoodStatus { at, failure });
        });
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
