//! The outcome of a check.

use std::fmt;

use super::Cannot;

/// The outcome of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The provider passed the check.
    Passed,
    /// The provider failed the check, with the observed fault.
    Failed(String),
    /// The check could not run, with the reason.
    Skipped(String),
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Passed => f.write_str("passed"),
            Self::Failed(why) => write!(f, "FAILED   {why}"),
            Self::Skipped(why) => write!(f, "skipped  {why}"),
        }
    }
}

/// The reason for which a check ended early.
#[derive(Debug)]
pub(super) enum Stop {
    Failed(String),
    Skipped(String),
}

/// The result of a check. A check that returns `Ok` has passed.
pub(super) type CheckResult = Result<(), Stop>;

impl From<Cannot> for Stop {
    fn from(cannot: Cannot) -> Self {
        Self::Skipped(cannot.to_string())
    }
}

impl From<CheckResult> for Outcome {
    fn from(verdict: CheckResult) -> Self {
        match verdict {
            Ok(()) => Self::Passed,
            Err(Stop::Failed(why)) => Self::Failed(why),
            Err(Stop::Skipped(why)) => Self::Skipped(why),
        }
    }
}

/// Ends a check as failed.
pub(super) fn failed<T>(why: impl Into<String>) -> Result<T, Stop> {
    Err(Stop::Failed(why.into()))
}

/// Ends a check as skipped.
pub(super) fn skipped<T>(why: impl Into<String>) -> Result<T, Stop> {
    Err(Stop::Skipped(why.into()))
}

/// Returns `count` with `noun` in the singular or plural: "1 request", "2 requests".
pub(super) fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// Ends a check as failed, with a formatted reason, unless the condition holds.
macro_rules! ensure {
    ($holds:expr, $($why:tt)+) => {
        if !$holds {
            return Err($crate::testkit::outcome::Stop::Failed(format!($($why)+)));
        }
    };
}

pub(super) use ensure;
