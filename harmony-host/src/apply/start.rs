use std::path::PathBuf;
use std::sync::Arc;

use provider_api::RejectionClass;
use tokio::sync::watch;

use crate::apply::applier::{desired, prepare};
use crate::apply::build::{Built, build};
use crate::apply::{Applier, Trigger, refusal};
use crate::documents::{Documents, Loaded, Touched};
use crate::last_good::{Generation, LastGood};
use crate::providers::Surroundings;
use crate::proxy::exchange::Gateway;
use crate::server::listeners::{Listeners, Prepared};
use crate::snapshot::{Rejection, Snapshot};
use crate::status::{StatusBoard, full};
use crate::storage::digest::Digest;

/// The first configuration, ready to be served.
#[derive(Debug)]
pub(crate) struct First {
    snapshot: Arc<Snapshot>,
    prepared: Prepared,
    /// The files and what is wrong with them, when what is served first is not what they say.
    refused: Option<(Digest, Rejection)>,
}

impl First {
    pub(crate) fn split(self) -> (Arc<Snapshot>, Prepared, Option<(Digest, Rejection)>) {
        (self.snapshot, self.prepared, self.refused)
    }
}

impl Applier {
    /// Reads, checks and builds the first configuration and binds its addresses. When it cannot be served, and one
    /// that was good is kept, that takes its place.
    ///
    /// # Errors
    /// Every problem of the files. Nothing is left open.
    pub(crate) async fn first(
        config_path: PathBuf,
        surroundings: Surroundings,
        status: Arc<StatusBoard>,
        last_good: Arc<LastGood>,
        kept: Option<Generation>,
    ) -> Result<(Self, First), Rejection> {
        let listeners = Listeners::new();
        let (path, around) = (config_path.clone(), surroundings.clone());
        let (documents, built) = build(path, around, None, None, Touched::Everything).await;
        let built = match built {
            Ok(Built::New(snapshot)) => prepare(&listeners, &snapshot).map(|prepared| First {
                snapshot: Arc::from(snapshot),
                prepared,
                refused: None,
            }),
            Ok(Built::Same) => {
                Err(refusal(RejectionClass::Build, "configuration", "there is nothing to build"))
            }
            Err(refusal) => Err(refusal),
        };
        let first = match built {
            Ok(first) => first,
            Err(refusal) => {
                let digest = documents.map_or(Digest::of(b""), |documents| documents.digest());
                let kept = kept.filter(|kept| kept.marks.digest != full(digest));
                let Some(kept) = kept else { return Err(refusal) };
                match built_of(config_path.clone(), surroundings.clone(), kept).await {
                    Ok(snapshot) => {
                        let prepared = prepare(&listeners, &snapshot)?;
                        First { snapshot: Arc::from(snapshot), prepared, refused: Some((digest, refusal)) }
                    }
                    Err(_) => return Err(refusal),
                }
            }
        };
        let read = Arc::clone(&first.snapshot.documents);
        let committed = watch::Sender::new(Arc::clone(&first.snapshot));
        let applier =
            Self { config_path, surroundings, status, listeners, read, rejected: None, last_good, committed };
        Ok((applier, first))
    }

    /// Serves the first configuration.
    pub(crate) fn begin(
        &mut self,
        gateway: &Arc<Gateway>,
        prepared: Prepared,
        refused: Option<(Digest, Rejection)>,
    ) {
        self.listeners.open(prepared, gateway);
        let snapshot = gateway.snapshot.load_full();
        self.note_applied(&snapshot);
        self.last_good.committed(snapshot);
        if let Some((digest, refusal)) = refused {
            tracing::error!("the files cannot be served; what was good last is served instead");
            self.status.change(|status| status.desired = desired(digest));
            self.reject(digest, refusal, Trigger::Asked);
        }
    }
}

/// Builds a configuration that was kept, without its files.
async fn built_of(
    config_path: PathBuf,
    surroundings: Surroundings,
    kept: Generation,
) -> Result<Box<Snapshot>, Rejection> {
    let work = move || {
        let Loaded { documents, problems } = Documents::of_kept(&config_path, &kept.files);
        Snapshot::build(Arc::new(documents), problems, 1, &surroundings, None)
    };
    let panicked = |_| refusal(RejectionClass::Build, "provider", "a provider panicked while it was built");
    let mut snapshot = Box::new(tokio::task::spawn_blocking(work).await.map_err(panicked)??);
    snapshot.check_local_references().await?;
    Ok(snapshot)
}
