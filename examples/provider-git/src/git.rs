use std::sync::{Arc, Mutex};
use std::time::Duration;

use provider_api::*;

use crate::followed::{Followed, Moment};

/// A repository whose signed commits are changes, and whose directories are what references name.
#[derive(Debug)]
pub(crate) struct Git {
    pub(crate) name: ProviderName,
    pub(crate) cadence: Cadence,
    pub(crate) followed: Arc<Followed>,
    /// What the list was made of that was delivered last.
    pub(crate) seen: Mutex<Option<Moment>>,
}

/// How long a disk may take.
const DEADLINE: Duration = Duration::from_secs(10);

impl Git {
    /// Reads off the request threads, with a deadline. What is dropped meanwhile has changed nothing half.
    pub(crate) async fn off_thread<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Followed) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let followed = Arc::clone(&self.followed);
        let work = tokio::task::spawn_blocking(move || work(&followed));
        match tokio::time::timeout(DEADLINE, work).await {
            Ok(Ok(done)) => done,
            Ok(Err(panic)) => Err(unavailable("reading the repository failed")(panic)),
            Err(late) => Err(unavailable("the repository does not answer")(late)),
        }
    }
}

/// What the disk or the repository said, as the gateway understands it.
pub(crate) fn unavailable<E: std::error::Error + Send + Sync + 'static>(
    what: &'static str,
) -> impl Fn(E) -> Error {
    move |error| Error::unavailable(what).with_source(error)
}

/// An ability a line.
#[rustfmt::skip]
impl Provider for Git {
    fn name(&self) -> &ProviderName { &self.name }
    fn source(&self) -> Option<&dyn ConfigSource> { Some(self) }
    fn resolver(&self) -> Option<&dyn Resolver> { Some(self) }
    fn mesh_auth(&self) -> Option<&dyn MeshAuth> { None }
    fn enrollment(&self) -> Option<&dyn Enrollment> { None }
    fn publisher(&self) -> Option<&dyn Publisher> { None }
    fn retention(&self) -> Option<&dyn Retention> { None }
}
