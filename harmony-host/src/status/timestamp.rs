//! Moments as RFC 3339 time stamps.

use std::time::SystemTime;

use jiff::Timestamp;

/// Converts a moment, rounded to milliseconds.
pub(crate) fn timestamp(time: SystemTime) -> Timestamp {
    Timestamp::try_from(time)
        .ok()
        .and_then(|t| t.round(jiff::Unit::Millisecond).ok())
        .unwrap_or(Timestamp::UNIX_EPOCH)
}
