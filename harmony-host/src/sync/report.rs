//! The report of one sync.

use serde::Serialize;

use crate::status::ChangeReport;

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
    /// The error that ended the sync early.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}
