use async_trait::async_trait;

use crate::testkit::Cannot;
use crate::{Attachment, Cadence, ChangeId, DocumentKind, Result};

/// The changes that a control plane holds for the gateway.
#[async_trait]
pub trait ChangeWorld: Send + Sync {
    /// Offers a change, newer than all before it; `document` goes out as it is.
    ///
    /// # Errors
    /// When a change of that kind cannot be offered.
    async fn offer(&self, kind: &DocumentKind, document: &str) -> Result<ChangeId, Cannot>;

    /// Offers a change that needs further documents, and says which.
    ///
    /// # Errors
    /// When no change ever needs any.
    async fn offer_with_attachments(&self) -> Result<(ChangeId, Vec<Attachment>), Cannot>;

    /// The id of a change that was never offered.
    fn unknown(&self) -> ChangeId;

    /// What the control plane was told of a change, in order. A report that it had heard before may be in it
    /// once or twice.
    ///
    /// # Errors
    /// When that cannot be seen.
    async fn heard(&self, id: &ChangeId) -> Result<Vec<Heard>, Cannot>;

    /// How often to ask, as the configuration says.
    fn cadence(&self) -> Cadence;
}

/// A report as it arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// The gateway has the change.
    Received,
    /// It is live.
    Applied,
    /// It is not live; every word that came with it.
    Rejected(String),
}

const _: fn(&dyn ChangeWorld) = |_| {};
