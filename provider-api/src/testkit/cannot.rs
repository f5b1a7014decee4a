use std::borrow::Cow;
use std::fmt;

/// Why a world cannot be put into a situation, or a provider has no such ability. Checks that need it are
/// listed as skipped, with this reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cannot(Cow<'static, str>);

impl Cannot {
    /// `why` is for whoever reads the table of results.
    pub fn because(why: impl Into<Cow<'static, str>>) -> Self {
        Self(why.into())
    }
}

impl fmt::Display for Cannot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
