//! The report of one sync.

use serde::Serialize;

use crate::status::{ChangeReport, NotTaken, Pause};

/// The results of one sync.
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct SyncReport {
    /// The applied changes.
    pub applied: Vec<ChangeReport>,
    /// The rejected changes, with the reasons.
    pub rejected: Vec<ChangeReport>,
    /// The deferred changes, with the reasons.
    pub held: Vec<ChangeReport>,
    /// The changes that the provider lists and this gateway has not taken, with the reasons.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_taken: Vec<NotTaken>,
    /// The problem of the provider's list, which has changes that are not for this gateway.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// The pause of the sync, for which the changes in `not_taken` wait.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paused: Option<Pause>,
    /// The error that ended the sync early.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}
