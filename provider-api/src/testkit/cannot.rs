//! The reason for skipping a check.

use std::borrow::Cow;
use std::fmt;

/// The reason for which a world cannot arrange a situation, or a provider does not have an ability.
///
/// The checks that need it are skipped, and the report shows this reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cannot(Cow<'static, str>);

impl Cannot {
    /// Creates a reason. The table of results shows it.
    pub fn because(reason: impl Into<Cow<'static, str>>) -> Self {
        Self(reason.into())
    }
}

impl fmt::Display for Cannot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
