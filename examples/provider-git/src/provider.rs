//! The provider, and its access to the disk.

use std::error::Error as StdError;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use provider_api::*;

use crate::branch::{Branch, Revision};

/// A provider of changes from the commits of a branch, and of resources from the directories of its head.
#[derive(Debug)]
pub(crate) struct GitProvider {
    pub(crate) name: ProviderName,
    pub(crate) cadence: Cadence,
    pub(crate) branch: Arc<Branch>,
    /// The revision of the last list that `pending` returned.
    pub(crate) listed: Mutex<Option<Revision>>,
}

/// The maximum time of one access to the repository.
const DEADLINE: Duration = Duration::from_secs(10);

impl GitProvider {
    /// Runs `work` on a thread for blocking I/O, with a deadline.
    ///
    /// Cancel safe: `work` only reads, or appends one line to the status log. The thread ends it even when the future
    /// was dropped, since a blocking call cannot be cancelled.
    pub(crate) async fn run_blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Branch) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let branch = Arc::clone(&self.branch);
        let work = tokio::task::spawn_blocking(move || work(&branch));
        match tokio::time::timeout(DEADLINE, work).await {
            Ok(Ok(result)) => result,
            Ok(Err(panic)) => Err(unavailable("reading the repository failed")(panic)),
            Err(late) => Err(unavailable("the repository does not answer")(late)),
        }
    }
}

/// Converts an error of the disk or of git.
pub(crate) fn unavailable<E: StdError + Send + Sync + 'static>(context: &'static str) -> impl Fn(E) -> Error {
    move |error| Error::unavailable(context).with_source(error)
}

#[rustfmt::skip]
impl Provider for GitProvider {
    fn name(&self) -> &ProviderName { &self.name }
    fn source(&self) -> Option<&dyn ConfigSource> { Some(self) }
    fn resolver(&self) -> Option<&dyn Resolver> { Some(self) }
    fn mesh_auth(&self) -> Option<&dyn MeshAuth> { None }
    fn enrollment(&self) -> Option<&dyn Enrollment> { None }
    fn publisher(&self) -> Option<&dyn Publisher> { None }
    fn retention(&self) -> Option<&dyn Retention> { None }
}
