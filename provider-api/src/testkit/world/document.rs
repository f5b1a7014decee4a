//! The documents that a world accepts.

use async_trait::async_trait;

use crate::testkit::Cannot;
use crate::{DocumentKind, Result};

/// The documents that a provider pushes to the control plane of a world.
#[async_trait]
pub trait DocumentWorld: Send + Sync {
    /// Returns a document that the control plane accepts.
    fn document(&self) -> (DocumentKind, String);

    /// Returns another content for the same document.
    fn changed(&self) -> String;

    /// Returns a document that the control plane rejects for its content.
    ///
    /// # Errors
    /// The reason, when the control plane accepts every document.
    fn unacceptable(&self) -> Result<(DocumentKind, String), Cannot>;

    /// Returns the document that the control plane has stored under an id.
    ///
    /// # Errors
    /// The reason, when this world cannot read it.
    async fn held(&self, id: &str) -> Result<Option<String>, Cannot>;
}

const _: fn(&dyn DocumentWorld) = |_| {};
