use std::path::PathBuf;
use std::sync::Arc;

use provider_api::RejectionClass;

use crate::apply::refusal;
use crate::documents::{Documents, Loaded, Touched};
use crate::host::{HostOptions, absolute};
use crate::providers::Surroundings;
use crate::providers::resolutions::Resolutions;
use crate::snapshot::{Rejection, Snapshot};

/// What the files make, without serving it.
///
/// # Errors
/// Every problem.
pub(crate) async fn look(options: &HostOptions) -> Result<Snapshot, Rejection> {
    let path = absolute(&options.config);
    let resolutions = Resolutions::new(Arc::clone(&options.clock), Vec::new());
    let surroundings = options.surroundings(resolutions);
    match build(path, surroundings, None, None, Touched::Everything).await.1? {
        Built::New(snapshot) => Ok(*snapshot),
        Built::Same => Err(refusal(RejectionClass::Build, "configuration", "there is nothing to build")),
    }
}

/// What came of reading the files.
pub(super) enum Built {
    /// They are what is served.
    Same,
    /// They make this.
    New(Box<Snapshot>),
}

/// Reads and builds off the request threads. A provider that panics while it is built refuses its
/// configuration and nothing else.
pub(super) async fn build(
    config_path: PathBuf,
    surroundings: Surroundings,
    read: Option<Arc<Documents>>,
    served: Option<Arc<Snapshot>>,
    touched: Touched,
) -> (Option<Arc<Documents>>, Result<Built, Rejection>) {
    let work = move || {
        let vanish = served.as_ref().map(|served| &*served.documents);
        let Loaded { documents, problems } = Documents::load(&config_path, read.as_deref(), vanish, &touched);
        let documents = Arc::new(documents);
        let generation = served.as_ref().map_or(1, |served| served.generation + 1);
        if !problems.refuse() && served.as_ref().is_some_and(|s| s.documents.digest() == documents.digest()) {
            return (documents, Ok(Built::Same));
        }
        let built =
            Snapshot::build(Arc::clone(&documents), problems, generation, &surroundings, served.as_deref());
        (documents, built.map(|snapshot| Built::New(Box::new(snapshot))))
    };
    match tokio::task::spawn_blocking(work).await {
        Ok((documents, Ok(Built::New(mut snapshot)))) => {
            let checked = snapshot.check_local_references().await;
            (Some(documents), checked.map(|()| Built::New(snapshot)))
        }
        Ok((documents, built)) => (Some(documents), built),
        Err(_) => {
            (None, Err(refusal(RejectionClass::Build, "provider", "a provider panicked while it was built")))
        }
    }
}
