use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::testkit::{Cannot, Exchange};
use crate::{Provider, Result};

/// What the provider wants to find again after a restart.
#[async_trait]
pub trait RetentionWorld: Send + Sync {
    /// The exchange whose answers are kept: what was kept answers while that cannot take place.
    fn learned(&self) -> Exchange;

    /// How long it may be used after it was learned.
    ///
    /// # Errors
    /// When it has no age.
    fn lifetime(&self) -> Result<Duration, Cannot>;

    /// The process starts again: the next factory is a new one, which has learned nothing yet.
    async fn restart(&self);

    /// A provider that is configured for another control plane. Nobody needs to be there.
    ///
    /// # Errors
    /// When there can be one only.
    fn elsewhere(&self) -> Result<Arc<dyn Provider>, Cannot>;
}

const _: fn(&dyn RetentionWorld) = |_| {};
