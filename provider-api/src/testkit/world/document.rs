use async_trait::async_trait;

use crate::testkit::Cannot;
use crate::{DocumentKind, Result};

/// Where local configuration is pushed to.
#[async_trait]
pub trait DocumentWorld: Send + Sync {
    /// A document that is accepted.
    fn document(&self) -> (DocumentKind, String);

    /// The same with another content.
    fn changed(&self) -> String;

    /// A document that is refused for what it says.
    ///
    /// # Errors
    /// When everything is accepted.
    fn unacceptable(&self) -> Result<(DocumentKind, String), Cannot>;

    /// What is held under an id.
    ///
    /// # Errors
    /// When that cannot be seen.
    async fn held(&self, id: &str) -> Result<Option<String>, Cannot>;
}

const _: fn(&dyn DocumentWorld) = |_| {};
