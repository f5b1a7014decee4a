//! Destinations of a mesh: references whose requests carry a token of it, whichever backend sends them.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use provider_api::Valid;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::plan::target::{ResolvedTarget, Target};
use crate::providers::Providers;

/// The longest time that requests to configured URLs wait for the first resolution of a destination.
const FIRST_RESOLUTION: Duration = Duration::from_secs(2);

/// The time between two attempts to resolve a destination in the background.
const RETRY: Duration = Duration::from_secs(10);

/// A destination of a mesh.
#[derive(Debug)]
pub(crate) struct Destination {
    target: Arc<Target>,
    /// The moment of the first request that might go there.
    first: OnceLock<Instant>,
    /// Held by the one background task that resolves it.
    background: Arc<Mutex<()>>,
}

impl Destination {
    pub(crate) fn new(target: Arc<Target>) -> Self {
        Self { target, first: OnceLock::new(), background: Arc::default() }
    }

    pub(crate) fn target(&self) -> &Arc<Target> {
        &self.target
    }

    /// Returns the URLs of the destination if they are known, at most 7 days old. Otherwise resolves it in the background;
    /// only the first requests wait for that, at most 2 s.
    ///
    /// A configured URL belongs to a destination by coincidence. Without this limit, a control plane that is away would
    /// delay or stop the requests to every backend with a URL.
    pub(crate) async fn known(&self, providers: &Providers) -> Option<Valid<ResolvedTarget>> {
        if let Some(known) = self.target.known(providers).await {
            return Some(known);
        }
        let deadline = *self.first.get_or_init(Instant::now) + FIRST_RESOLUTION;
        if Instant::now() < deadline {
            let resolved = tokio::time::timeout_at(deadline, self.target.resolve(providers)).await;
            return resolved.ok().and_then(Result::ok);
        }
        self.resolve_in_background(providers);
        None
    }

    fn resolve_in_background(&self, providers: &Providers) {
        let Ok(only) = Arc::clone(&self.background).try_lock_owned() else { return };
        let (target, providers) = (Arc::clone(&self.target), providers.clone());
        tokio::spawn(async move {
            if let Err(error) = target.resolve(&providers).await {
                tracing::warn!(
                    reference = %target.reference, %error,
                    "a destination of a mesh is not known; requests to its URL by another name carry no token of the mesh"
                );
            }
            drop((target, providers));
            tokio::time::sleep(RETRY).await;
            drop(only);
        });
    }
}
