//! The state of the audit log.

use serde::Serialize;

/// The state of the audit log, which records what was done to this gateway and by whom.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct AuditStatus {
    /// The number of the newest record on the disk.
    pub last: u64,
    /// The number of events that wait for the disk.
    pub waiting: usize,
    /// The number of events that are lost since the disk failed; the log has it once the disk works again.
    pub lost: u64,
    /// The reason for which the log cannot be written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}
