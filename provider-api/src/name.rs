use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The name of a provider: what stands after `provider.` in a configuration and before the first
/// dot of a reference.
///
/// 1 to 64 characters of `a-z 0-9 _ -`. Cloning is a reference count.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ProviderName(Arc<str>);

/// A text that is no provider name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidName {
    given: String,
}

impl ProviderName {
    /// The most characters a name may have.
    pub const MAX_LEN: usize = 64;

    /// The name of the provider that is always there.
    pub fn local() -> Self {
        Self(Arc::from("local"))
    }

    /// Whether this is the provider that is always there, needs no section and never polls.
    pub fn is_local(&self) -> bool {
        &*self.0 == "local"
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether `text` is what provider, pipeline, mesh and network names are made of: `^[a-z0-9_-]+$`.
pub(crate) fn is_slug(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-'))
}

impl FromStr for ProviderName {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        if is_slug(text) && text.len() <= Self::MAX_LEN {
            Ok(Self(Arc::from(text)))
        } else {
            Err(InvalidName { given: text.chars().take(Self::MAX_LEN).collect() })
        }
    }
}

impl TryFrom<String> for ProviderName {
    type Error = InvalidName;

    fn try_from(text: String) -> Result<Self, InvalidName> {
        text.parse()
    }
}

impl From<ProviderName> for String {
    fn from(name: ProviderName) -> Self {
        name.as_str().to_owned()
    }
}

impl fmt::Display for ProviderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for InvalidName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` is no provider name: expected 1 to {} characters of a-z, 0-9, _ and -",
            self.given.escape_debug(),
            ProviderName::MAX_LEN
        )
    }
}

impl std::error::Error for InvalidName {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_lower_case_letters_digits_dash_and_underscore() {
        assert!("runbeam".parse::<ProviderName>().is_ok());
        assert!("my_cloud-2".parse::<ProviderName>().is_ok());
        for bad in ["", "Runbeam", "a.b", "../x", "a b", "é", &"a".repeat(65)] {
            assert!(bad.parse::<ProviderName>().is_err(), "{bad}");
        }
    }
}
