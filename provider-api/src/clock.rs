//! The wall clock.

use std::fmt;
use std::time::{Duration, SystemTime};

/// The wall clock: the time for timestamps and for the expiry of tokens. It may jump in both directions.
///
/// Intervals, deadlines and backoff use tokio's monotonic clock instead.
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// Returns the current time.
    fn now(&self) -> SystemTime;

    /// Returns the current time in whole seconds since 1970-01-01T00:00:00Z, the unit of the time claims of a
    /// JWT (RFC 7519, section 2). Zero for a clock before 1970.
    fn unix_now(&self) -> u64 {
        self.now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs()
    }
}

/// The clock of the operating system.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }
}
