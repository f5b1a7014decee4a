//! The start: the first configuration, or the last good one instead.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use provider_api::RejectionClass;

use crate::apply::activator::Activator;
use crate::apply::applier::desired;
use crate::apply::build::{Built, build};
use crate::apply::rollback::cause_of;
use crate::apply::{Applier, Trigger};
use crate::diagnostics::logged::log_warnings;
use crate::diagnostics::rejection::Rejection;
use crate::documents::layers::Layers;
use crate::documents::{Documents, Loaded, Touched};
use crate::history::{Applied, Cause, History, Pending};
use crate::last_good::{Generation, LastGood};
use crate::providers::Surroundings;
use crate::snapshot::Snapshot;
use crate::snapshot::published::Published;
use crate::status::StatusBoard;
use crate::storage::digest::{Digest, full};

/// The parts that an applier is started with.
#[derive(Debug)]
pub(crate) struct Start {
    pub(crate) layers: Layers,
    pub(crate) surroundings: Surroundings,
    pub(crate) status: Arc<StatusBoard>,
    pub(crate) last_good: Arc<LastGood>,
    pub(crate) history: Arc<History>,
    /// The rollback that was live when the process before ended, if it did not record it.
    pub(crate) rolled_back: Option<Pending>,
    pub(crate) activator: Activator,
    /// The newest complete configuration that was saved.
    pub(crate) saved: Option<Generation>,
}

impl Start {
    /// Reads, checks, builds and activates the first configuration. If that fails, activates the last good
    /// configuration instead, if one is saved, and reports the problems of the files in the status.
    ///
    /// # Errors
    /// All problems of the files. No task is left running.
    pub(crate) async fn start(mut self) -> Result<Applier, Rejection> {
        let (layers, surroundings) = (self.layers.clone(), self.surroundings.clone());
        let (documents, built) = build(layers, surroundings, None, None, Touched::Everything).await;
        let first = match built {
            Ok(Built::New(snapshot)) => self.activate(snapshot).await,
            Ok(Built::Unchanged) => {
                Err(Rejection::of(RejectionClass::Build, "configuration", "there is nothing to build"))
            }
            Err(rejection) => Err(rejection),
        };
        let rejection = match first {
            Ok(snapshot) => {
                let applier = self.applier(snapshot);
                applier.examine_base().await;
                applier.settle_overlay().await;
                return Ok(applier);
            }
            Err(rejection) => rejection,
        };
        let digest = documents.map_or(Digest::of(b""), |documents| documents.digest());
        match self.activate_last_good(digest).await {
            None => Err(rejection),
            Some(Err(second)) => {
                let mut rejection = rejection;
                rejection.problems.extend(&second.problems);
                Err(rejection)
            }
            Some(Ok(snapshot)) => {
                let mut applier = self.applier(snapshot);
                tracing::error!("the files are rejected; the last good configuration is live instead");
                applier.status.change(|status| status.desired = desired(digest));
                applier.reject(digest, rejection, Trigger::Requested, Cause::Start);
                applier.examine_base().await;
                applier.report_overlay().await;
                Ok(applier)
            }
        }
    }

    /// Activates the last good configuration. Returns `None` if none is saved or it equals the files.
    async fn activate_last_good(&mut self, files: Digest) -> Option<Result<Arc<Snapshot>, Rejection>> {
        let saved = self.saved.clone().filter(|saved| saved.metadata.digest != full(files))?;
        match build_saved(self.layers.config_path().to_owned(), self.surroundings.clone(), saved).await {
            Ok(snapshot) => Some(self.activate(snapshot).await),
            // Another version of the gateway saved it. Only the problems of the files help the operator.
            Err(_) => None,
        }
    }

    /// Activates a configuration and commits it.
    async fn activate(&mut self, mut snapshot: Box<Snapshot>) -> Result<Arc<Snapshot>, Rejection> {
        let saved =
            self.saved.as_ref().map(|saved| (saved.metadata.generation, saved.metadata.digest.as_str()));
        let saved = saved.filter(|(generation, _)| *generation > 0);
        snapshot.generation = self.history.number_of(&full(snapshot.documents.digest()), saved);
        let snapshot: Arc<Snapshot> = Arc::from(snapshot);
        self.restore(&snapshot);
        let prepared = self.activator.prepare(&snapshot, None).await?;
        let activated = self.activator.activate(prepared, &snapshot).await?;
        self.activator.commit(activated).await;
        Ok(snapshot)
    }

    /// Restores the saved state of the primary provider, before a request can need it. A provider that panics starts
    /// without that state.
    fn restore(&self, snapshot: &Snapshot) {
        let Some((name, saved)) = self.saved.as_ref().and_then(|saved| saved.metadata.provider.as_ref())
        else {
            return;
        };
        let primary = snapshot.providers.primary().filter(|provider| provider.name().as_str() == name);
        if let Some(retention) = primary.and_then(|provider| provider.retention()) {
            let restored =
                std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| retention.restore(saved)));
            if restored.is_err() {
                tracing::error!(provider = name, "the provider panicked while it restored its saved state");
            }
        }
    }

    /// Creates the applier, with `snapshot` live.
    fn applier(self, snapshot: Arc<Snapshot>) -> Applier {
        let certificates_at = self.surroundings.clock.now();
        let applier = Applier {
            layers: self.layers,
            surroundings: self.surroundings,
            status: self.status,
            activator: self.activator,
            last_read: Arc::clone(&snapshot.documents),
            rejected: None,
            last_good: self.last_good,
            history: self.history,
            published: Published::new(Arc::clone(&snapshot)),
            certificates_at,
        };
        log_warnings(&snapshot.warnings);
        applier.report_applied(&snapshot);
        applier.history.applied(Applied {
            before: None,
            after: Arc::clone(&snapshot),
            cause: self.rolled_back.as_ref().map_or(Cause::Start, cause_of),
            at: SystemTime::now(),
            differences: None,
            managed: BTreeMap::new(),
            rolled_back: None,
        });
        applier.last_good.committed(snapshot);
        applier
    }
}

/// Builds a saved configuration from its saved files, not from the current ones.
pub(super) async fn build_saved(
    config_path: PathBuf,
    surroundings: Surroundings,
    saved: Generation,
) -> Result<Box<Snapshot>, Rejection> {
    let work = move || {
        let Loaded { documents, problems } = Documents::from_saved(&config_path, &saved.files);
        Snapshot::build(Arc::new(documents), problems, 1, &surroundings, None)
    };
    let panicked =
        |_| Rejection::of(RejectionClass::Build, "provider", "a provider panicked while it was built");
    let mut snapshot = Box::new(tokio::task::spawn_blocking(work).await.map_err(panicked)??);
    snapshot.check_local_references().await?;
    Ok(snapshot)
}
