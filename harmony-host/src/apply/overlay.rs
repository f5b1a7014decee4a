//! The overlay after a configuration was applied or rejected: settling it, and reporting on it.

use std::sync::Arc;
use std::time::SystemTime;

use crate::apply::Applier;
use crate::status::{OverlayStatus, timestamp};

impl Applier {
    /// Settles the overlay: the configuration on the disk is live. Then reports on it.
    pub(super) async fn settle_overlay(&self) {
        let (layers, origins) = (self.layers.clone(), Arc::clone(&self.surroundings.origins));
        blocking(move || layers.settle(&origins, timestamp(SystemTime::now()))).await;
        self.report_overlay().await;
    }

    /// Examines which paths of the configuration can be written: at the start, at a requested reload and after a change.
    pub(super) async fn examine_base(&self) {
        let (layers, documents) = (self.layers.clone(), Arc::clone(&self.last_read));
        blocking(move || layers.examine_base(&documents)).await;
    }

    /// Reports on the overlay in the status, and logs if the configuration became read-only or writable.
    pub(super) async fn report_overlay(&self) {
        let layers = self.layers.clone();
        let now = blocking(move || layers.report()).await.flatten().map(OverlayStatus::from);
        let before = self.status.read().overlay.clone();
        if now != before {
            log(before.as_ref(), now.as_ref());
            self.status.change(|status| status.overlay = now);
        }
    }
}

/// Runs work on the disk on a thread for it. A panic of it must not end the task that applies configurations.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.inspect_err(|error| tracing::error!(%error, "the overlay cannot be handled")).ok()
}

fn log(before: Option<&OverlayStatus>, now: Option<&OverlayStatus>) {
    let paths = |status: Option<&OverlayStatus>| status.map(|s| s.read_only.clone()).unwrap_or_default();
    let (before, after) = (paths(before), paths(now));
    for path in after.iter().filter(|path| !before.contains(path)) {
        tracing::info!(
            path = path.path,
            reason = path.reason,
            overlay = now.map(|now| &*now.directory),
            "the configuration is read-only; changes of the control plane are kept in the overlay"
        );
    }
    for path in before.iter().filter(|path| !after.contains(path)) {
        let kept = now.map_or(0, |now| now.files.len());
        tracing::info!(
            path = path.path,
            kept,
            "the configuration can be written; the files in the overlay still hold"
        );
    }
}
