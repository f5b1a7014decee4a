use std::fmt;

use super::Cannot;

/// What came of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The provider keeps this promise.
    Passed,
    /// It does not, and this is how.
    Failed(String),
    /// It could not be tried, and this is why.
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

/// Why a check ended early.
#[derive(Debug)]
pub(super) enum Stop {
    Failed(String),
    Skipped(String),
}

/// How a check ends.
pub(super) type Verdict = Result<(), Stop>;

impl From<Cannot> for Stop {
    fn from(cannot: Cannot) -> Self {
        Self::Skipped(cannot.to_string())
    }
}

impl From<Verdict> for Outcome {
    fn from(verdict: Verdict) -> Self {
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

macro_rules! ensure {
    ($holds:expr, $($why:tt)+) => {
        if !$holds {
            return Err($crate::testkit::verdict::Stop::Failed(format!($($why)+)));
        }
    };
}

pub(super) use ensure;
