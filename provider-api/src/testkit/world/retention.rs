//! The saved state of a world.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::testkit::{Cannot, Exchange};
use crate::{Provider, Result};

/// The state that the providers of a world save for the next start.
#[async_trait]
pub trait RetentionWorld: Send + Sync {
    /// Returns the exchange whose result is saved: saved state replaces it while the control plane is
    /// unreachable.
    fn learned(&self) -> Exchange;

    /// Returns the time for which a result may be used, counted from its exchange.
    ///
    /// # Errors
    /// The reason, when the state does not expire.
    fn lifetime(&self) -> Result<Duration, Cannot>;

    /// Simulates a restart of the process: replaces the factory by a new one without any state.
    async fn restart(&self);

    /// Builds a provider that is configured for another control plane. That one need not be reachable.
    ///
    /// # Errors
    /// The reason, when only one control plane is possible.
    fn elsewhere(&self) -> Result<Arc<dyn Provider>, Cannot>;
}

const _: fn(&dyn RetentionWorld) = |_| {};
