//! Reading the files and building a snapshot from them.

use std::sync::Arc;

use provider_api::RejectionClass;

use crate::diagnostics::rejection::Rejection;
use crate::documents::layers::Layers;
use crate::documents::{Documents, Loaded, Touched};
use crate::providers::Surroundings;
use crate::snapshot::Snapshot;

/// The result of reading the files.
pub(crate) enum Built {
    /// The files equal the live configuration.
    Unchanged,
    /// A new snapshot.
    New(Box<Snapshot>),
}

/// Reads the files and builds a snapshot on a blocking thread. Returns the documents that were read, and the result. A
/// provider that panics while it is built causes a rejection.
pub(crate) async fn build(
    layers: Layers,
    surroundings: Surroundings,
    read: Option<Arc<Documents>>,
    served: Option<Arc<Snapshot>>,
    touched: Touched,
) -> (Option<Arc<Documents>>, Result<Built, Rejection>) {
    let load = move |served: Option<&Documents>| Documents::load(&layers, read.as_deref(), served, &touched);
    build_loaded(load, surroundings, served).await
}

/// Does the same with files that `load` returns. It gets the files that are served.
pub(super) async fn build_loaded(
    load: impl FnOnce(Option<&Documents>) -> Loaded + Send + 'static,
    surroundings: Surroundings,
    served: Option<Arc<Snapshot>>,
) -> (Option<Arc<Documents>>, Result<Built, Rejection>) {
    let work = move || {
        let Loaded { documents, problems } = load(served.as_ref().map(|served| &*served.documents));
        let documents = Arc::new(documents);
        let generation = served.as_ref().map_or(1, |served| served.generation + 1);
        if !problems.refuse() && served.as_ref().is_some_and(|s| s.documents.digest() == documents.digest()) {
            return (documents, Ok(Built::Unchanged));
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
        Err(_) => (
            None,
            Err(Rejection::of(RejectionClass::Build, "provider", "a provider panicked while it was built")),
        ),
    }
}
