//! The rejection of a configuration.

use std::fmt;

use provider_api::RejectionClass;

use crate::diagnostics::problem::Problems;

/// The rejection of a configuration, with all problems found.
///
/// `Display` writes one line: the class, the first error and the number of further errors.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Rejection {
    /// The step that rejected it.
    pub class: RejectionClass,
    /// The problems: errors and warnings.
    pub problems: Problems,
    /// Set if the candidate could not be checked for a temporary reason outside of it, such as a blocked application.
    transient: bool,
}

impl Rejection {
    /// Creates a rejection by the step `class` for `problems`.
    pub fn new(class: RejectionClass, problems: Problems) -> Self {
        Self { class, problems, transient: false }
    }

    /// Creates a rejection with one error. `key` is a dotted key of the configuration, or a file name.
    pub fn of(class: RejectionClass, key: impl Into<String>, message: impl Into<String>) -> Self {
        let mut problems = Problems::default();
        problems.error(None, key, message);
        Self::new(class, problems)
    }

    /// Returns whether the same files may be accepted later without an edit, because the rejection depended on the
    /// machine: an address in use may become free.
    pub fn is_retryable(&self) -> bool {
        self.transient || self.class == RejectionClass::Bind
    }

    /// Marks the rejection as one of a candidate that could not be checked.
    pub(crate) fn transient(self) -> Self {
        Self { transient: true, ..self }
    }

    /// Returns whether the candidate could not be checked.
    pub(crate) fn is_transient(&self) -> bool {
        self.transient
    }

    /// Returns the first error as one line of text.
    pub(crate) fn first(&self) -> String {
        self.problems.sorted_errors().first().map(ToString::to_string).unwrap_or_default()
    }
}

impl From<Problems> for Rejection {
    /// Creates a rejection of the class `activate`, for an application that gives no class.
    fn from(problems: Problems) -> Self {
        Self::new(RejectionClass::Activate, problems)
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rejected ({}): {}", self.class, self.first())?;
        match self.problems.errors().count() {
            0 | 1 => Ok(()),
            n => write!(f, " (and {} more)", n - 1),
        }
    }
}

impl std::error::Error for Rejection {}
