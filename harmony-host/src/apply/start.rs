//! The start: the first configuration, or the last good one in its place.

use std::path::PathBuf;
use std::sync::Arc;

use provider_api::RejectionClass;

use crate::apply::activator::Activator;
use crate::apply::applier::desired;
use crate::apply::build::{Built, build};
use crate::apply::{Applier, Trigger};
use crate::diagnostics::rejection::Rejection;
use crate::documents::{Documents, Loaded, Touched};
use crate::last_good::{Generation, LastGood};
use crate::providers::Surroundings;
use crate::snapshot::Snapshot;
use crate::snapshot::published::Published;
use crate::status::StatusBoard;
use crate::storage::digest::{Digest, full};

/// The parts that an applier is started with.
#[derive(Debug)]
pub(crate) struct Start {
    pub(crate) config_path: PathBuf,
    pub(crate) surroundings: Surroundings,
    pub(crate) status: Arc<StatusBoard>,
    pub(crate) last_good: Arc<LastGood>,
    pub(crate) activator: Activator,
    /// The newest configuration that was saved whole.
    pub(crate) saved: Option<Generation>,
}

impl Start {
    /// Reads, checks, builds and activates the first configuration. When that fails and a configuration that was good
    /// is saved, that takes its place, and the status says what is wrong with the files.
    ///
    /// # Errors
    /// Every problem of the files. Nothing is left running.
    pub(crate) async fn start(mut self) -> Result<Applier, Rejection> {
        let (path, surroundings) = (self.config_path.clone(), self.surroundings.clone());
        let (documents, built) = build(path, surroundings, None, None, Touched::Everything).await;
        let first = match built {
            Ok(Built::New(snapshot)) => self.activated(Arc::from(snapshot)).await,
            Ok(Built::Same) => {
                Err(Rejection::of(RejectionClass::Build, "configuration", "there is nothing to build"))
            }
            Err(rejection) => Err(rejection),
        };
        let rejection = match first {
            Ok(snapshot) => return Ok(self.applier(snapshot)),
            Err(rejection) => rejection,
        };
        let digest = documents.map_or(Digest::of(b""), |documents| documents.digest());
        match self.last_good(digest).await {
            None => Err(rejection),
            Some(Err(also)) => {
                let mut rejection = rejection;
                rejection.problems.extend(&also.problems);
                Err(rejection)
            }
            Some(Ok(snapshot)) => {
                let mut applier = self.applier(snapshot);
                tracing::error!("the files cannot be served; the last good configuration is served instead");
                applier.status.change(|status| status.desired = desired(digest));
                applier.reject(digest, rejection, Trigger::Asked);
                Ok(applier)
            }
        }
    }

    /// Activates the configuration that was good last; `None` when none is saved or the files are that one.
    async fn last_good(&mut self, files: Digest) -> Option<Result<Arc<Snapshot>, Rejection>> {
        let saved = self.saved.clone().filter(|saved| saved.metadata.digest != full(files))?;
        match built_of(self.config_path.clone(), self.surroundings.clone(), saved).await {
            Ok(snapshot) => Some(self.activated(Arc::from(snapshot)).await),
            // A configuration of another version of this gateway: the files say what is wrong now.
            Err(_) => None,
        }
    }

    /// Makes a configuration live.
    async fn activated(&mut self, snapshot: Arc<Snapshot>) -> Result<Arc<Snapshot>, Rejection> {
        self.restore(&snapshot);
        let prepared = self.activator.prepare(&snapshot, None).await?;
        let activated = self.activator.activate(prepared, &snapshot).await?;
        self.activator.commit(activated).await;
        Ok(snapshot)
    }

    /// Hands the primary provider what it saved before the restart, before a request can need it. A provider that
    /// panics over it has forgotten it.
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
                tracing::error!(provider = name, "a provider panicked over what it had saved");
            }
        }
    }

    /// The applier of a gateway that serves `snapshot`.
    fn applier(self, snapshot: Arc<Snapshot>) -> Applier {
        let applier = Applier {
            config_path: self.config_path,
            surroundings: self.surroundings,
            status: self.status,
            activator: self.activator,
            read: Arc::clone(&snapshot.documents),
            rejected: None,
            last_good: self.last_good,
            published: Published::new(Arc::clone(&snapshot)),
        };
        for warning in &snapshot.warnings {
            tracing::warn!("{warning}");
        }
        applier.note_applied(&snapshot);
        applier.last_good.committed(snapshot);
        applier
    }
}

/// Builds a configuration that was saved, whatever its files are now.
async fn built_of(
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
