//! Timestamps of the status: RFC 3339, in milliseconds.

use std::time::SystemTime;

use jiff::Timestamp;

/// Converts a time to a timestamp, rounded to milliseconds.
pub(crate) fn timestamp(time: SystemTime) -> Timestamp {
    Timestamp::try_from(time)
        .ok()
        .and_then(|t| t.round(jiff::Unit::Millisecond).ok())
        .unwrap_or(Timestamp::UNIX_EPOCH)
}
