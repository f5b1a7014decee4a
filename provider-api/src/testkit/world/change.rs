//! The changes of a world.

use async_trait::async_trait;

use crate::testkit::Cannot;
use crate::{Attachment, Cadence, ChangeId, DocumentKind, Result};

/// The changes that the control plane of a world offers to the gateway.
#[async_trait]
pub trait ChangeWorld: Send + Sync {
    /// Offers a change that is newer than all earlier ones. The control plane delivers `document` unchanged.
    ///
    /// # Errors
    /// The reason, when the control plane cannot offer a change of that kind.
    async fn offer(&self, kind: &DocumentKind, document: &str) -> Result<ChangeId, Cannot>;

    /// Offers a change with attachments. Returns its id and the attachments.
    ///
    /// # Errors
    /// The reason, when changes have no attachments.
    async fn offer_with_attachments(&self) -> Result<(ChangeId, Vec<Attachment>), Cannot>;

    /// Returns the id of a change that was never offered.
    fn unknown(&self) -> ChangeId;

    /// Returns the reports about a change that the control plane has recorded, in order. A repeated report
    /// may be in the list once or several times.
    ///
    /// # Errors
    /// The reason, when this world cannot read them.
    async fn heard(&self, id: &ChangeId) -> Result<Vec<Heard>, Cannot>;

    /// Returns the cadence that the configuration sets.
    fn cadence(&self) -> Cadence;
}

/// A report about a change, as the control plane recorded it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// The gateway has stored the change.
    Received,
    /// The change is live.
    Applied,
    /// The gateway has rejected the change. Contains all texts of the report.
    Rejected(String),
}

const _: fn(&dyn ChangeWorld) = |_| {};
