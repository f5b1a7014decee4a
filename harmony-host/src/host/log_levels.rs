//! Log levels that are changed while the process runs.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use provider_api::Result;
use serde::Serialize;

/// The log levels of a process, for the call `log` of the management API.
///
/// An application that embeds the host gives it in [`HostOptions`](crate::HostOptions::log_levels), and decides by it how
/// its own subscriber filters events. The calls return at once. No level makes an event show a secret of the host.
pub trait LogLevels: fmt::Debug + Send + Sync {
    /// Returns the present levels.
    fn levels(&self) -> Levels;

    /// Sets levels, each as `TARGET=LEVEL`, or `LEVEL` for all targets without one. Other targets keep theirs. With a
    /// duration, the levels of the start return after it.
    ///
    /// # Errors
    /// [`Invalid`](provider_api::ErrorKind::Invalid) for a directive that is not valid; nothing has changed then.
    fn set(&self, directives: &[String], duration: Option<Duration>) -> Result<Levels>;

    /// Returns to the levels of the start.
    ///
    /// # Errors
    /// [`Unavailable`](provider_api::ErrorKind::Unavailable) when the subscriber is gone.
    fn reset(&self) -> Result<Levels>;
}

const _: fn(&dyn LogLevels) = |_| {};

/// The log levels at one time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Levels {
    /// The present directives.
    pub directives: Vec<String>,
    /// The directives of the start.
    pub at_start: Vec<String>,
    /// The time at which those of the start return, if they return by themselves.
    pub until: Option<Timestamp>,
}

impl Levels {
    /// Creates levels that stay.
    pub fn new(directives: Vec<String>, at_start: Vec<String>) -> Self {
        Self { directives, at_start, until: None }
    }

    /// Sets the time at which the levels of the start return.
    #[must_use]
    pub fn until(mut self, until: Option<Timestamp>) -> Self {
        self.until = until;
        self
    }
}
