//! The saved state of the reference world.

use std::sync::Arc;
use std::time::Duration;

use provider_api::testkit::{Cannot, CredentialWorld, Exchange, RetentionWorld, World as _};
use provider_api::{Provider, Result, async_trait};

use super::ReferenceWorld;
use crate::factory::{Factory, INTERVAL, KEY_LIFETIME};

#[async_trait]
impl RetentionWorld for ReferenceWorld {
    fn learned(&self) -> Exchange {
        Exchange::Keys
    }

    fn lifetime(&self) -> Result<Duration, Cannot> {
        Ok(KEY_LIFETIME)
    }

    async fn restart(&self) {
        CredentialWorld::restart(self).await;
    }

    fn elsewhere(&self) -> Result<Arc<dyn Provider>, Cannot> {
        let factory = Factory { keys: Arc::default(), ..self.factory() };
        Ok(factory.build(&self.names()[0], "https://elsewhere.kit.example", INTERVAL.as_secs()).unwrap())
    }
}
