//! Commands to the sync loop.

use std::fmt;
use std::sync::Arc;

use provider_api::{ChangeId, Result};
use tokio::sync::oneshot;

use crate::apply::Foreseen;
use crate::snapshot::Snapshot;
use crate::sync::{PushReport, SyncReport};

/// A command to the sync loop.
pub(crate) enum SyncCommand {
    /// Sync now, independent of the cadence.
    Now(oneshot::Sender<SyncReport>),
    /// Push the local configuration.
    Push(Arc<Snapshot>, oneshot::Sender<Result<PushReport>>),
    /// Foresee the result of applying one change alone.
    Foresee(ChangeId, oneshot::Sender<Result<Foreseen>>),
    /// Sync soon: the credential changed.
    Authorized,
    /// Tell when no change is being taken any more: the sync was paused.
    Quiet(oneshot::Sender<()>),
    /// Accept that it is not known what was acknowledged before this state was created.
    AcceptNew(oneshot::Sender<Result<()>>),
}

impl fmt::Debug for SyncCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Now(_) => "Now",
            Self::Push(..) => "Push",
            Self::Foresee(..) => "Foresee",
            Self::Authorized => "Authorized",
            Self::Quiet(_) => "Quiet",
            Self::AcceptNew(_) => "AcceptNew",
        })
    }
}
