//! A pause of the sync: since when, by whom, why, and until when.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A pause of the sync. Meanwhile the provider is asked which changes are pending, and none is taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Pause {
    /// The time of the beginning.
    pub since: Timestamp,
    /// The operator, as the request named it, and the address of the request.
    pub by: String,
    /// The operator's reason.
    pub reason: String,
    /// The time at which the pause ends by itself; `None` if an operator has to end it.
    pub until: Option<Timestamp>,
}

impl Pause {
    /// Creates a pause without an end.
    pub fn new(since: Timestamp, by: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { since, by: by.into(), reason: reason.into(), until: None }
    }

    /// Sets the time at which the pause ends by itself.
    #[must_use]
    pub fn until(mut self, until: Option<Timestamp>) -> Self {
        self.until = until;
        self
    }

    /// Returns the pause in words, for a sentence that begins with "the sync".
    pub(crate) fn in_words(&self) -> String {
        let Self { since, by, reason, until } = self;
        let until = until.map_or_else(String::new, |until| format!(", until {until}"));
        format!("is paused since {since} by {by}{until}: {reason}")
    }
}
