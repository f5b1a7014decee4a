//! The report of one sync.

use serde::Serialize;

use crate::status::ChangeReport;

/// What one round did.
#[derive(Clone, Debug, Default, Serialize)]
pub struct SyncReport {
    /// The changes that are live now.
    pub applied: Vec<ChangeReport>,
    /// The changes that are not, and why.
    pub rejected: Vec<ChangeReport>,
    /// The changes that wait for something.
    pub held: Vec<ChangeReport>,
    /// Why the round did not get to its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}
