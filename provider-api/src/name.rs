//! Provider names.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The name of a provider: the part after `provider.` in a configuration, and before the first dot in a
/// reference.
///
/// 1 to 64 characters of `a-z 0-9 _ -`. A clone shares the text and allocates nothing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ProviderName(Arc<str>);

/// The error of parsing a [`ProviderName`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidName {
    given: String,
}

impl ProviderName {
    /// The maximum length in characters.
    pub const MAX_LEN: usize = 64;

    /// Returns the name `local`, of the provider that every gateway has.
    pub fn local() -> Self {
        Self(Arc::from("local"))
    }

    /// Returns true for the name `local`. That provider needs no section in the configuration and never
    /// polls.
    pub fn is_local(&self) -> bool {
        &*self.0 == "local"
    }

    /// Returns the name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Returns true when `text` matches `^[a-z0-9_-]+$`, the form of provider, pipeline, mesh and network names.
pub(crate) fn is_slug(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-'))
}

impl FromStr for ProviderName {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        if is_slug(text) && text.len() <= Self::MAX_LEN {
            Ok(Self(Arc::from(text)))
        } else {
            // A message must not carry an input of any length into a log.
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
            "`{}` is not a provider name: expected 1 to {} characters of a-z, 0-9, _ and -",
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
    fn names_consist_of_the_allowed_characters() {
        assert!("runbeam".parse::<ProviderName>().is_ok());
        assert!("my_cloud-2".parse::<ProviderName>().is_ok());
        for bad in ["", "Runbeam", "a.b", "../x", "a b", "é", &"a".repeat(65)] {
            assert!(bad.parse::<ProviderName>().is_err(), "{bad}");
        }
    }
}
