use std::fmt;
use std::time::{Duration, SystemTime};

/// What time it is for people and for tokens: the wall clock, which may jump.
///
/// Intervals, deadlines and backoff are not its business; those are tokio's clock.
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// Now.
    fn now(&self) -> SystemTime;

    /// Now, in whole seconds since 1970-01-01T00:00:00Z, as in the time claims of a JWT (RFC 7519, section 2).
    fn unix_now(&self) -> u64 {
        self.now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs()
    }
}

/// The clock of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }
}
