//! The conformance kit's view of saved state.

use std::sync::Arc;
use std::time::Duration;

use provider_api::testkit::{Cannot, Exchange, RetentionWorld, World as _};
use provider_api::{Provider, Result, async_trait};

use super::world::RunbeamWorld;

#[async_trait]
impl RetentionWorld for RunbeamWorld {
    fn learned(&self) -> Exchange {
        Exchange::Keys
    }

    /// The lifetime in the context that `RunbeamWorld` builds providers with.
    fn lifetime(&self) -> Result<Duration, Cannot> {
        Ok(Duration::from_secs(24 * 3600))
    }

    async fn restart(&self) {
        self.restart_process();
    }

    /// A provider at a port without a listener.
    fn elsewhere(&self) -> Result<Arc<dyn Provider>, Cannot> {
        Ok(self.with(&self.names()[0], "api = \"http://127.0.0.1:1\"").unwrap())
    }
}
