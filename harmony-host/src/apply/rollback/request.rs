//! The request for a rollback.

use crate::audit::Actor;

/// A request to restore an earlier generation.
#[derive(Clone, Debug)]
pub(crate) struct RollbackRequest {
    /// The generation.
    pub(crate) to: u64,
    pub(crate) by: Actor,
    /// Set to replace edits that are not live; a copy of each is saved.
    pub(crate) force: bool,
    /// Set to show what would happen, and change nothing.
    pub(crate) dry_run: bool,
}
