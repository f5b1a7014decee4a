//! Reasons for which a provider is not built.

use std::fmt;
use std::ops::Range;

use crate::Error;

/// Everything a factory found wrong with its settings or with the inventory. Never empty.
///
/// A factory that checks several things collects all errors, so that one look at the output is enough to repair the
/// configuration.
#[derive(Debug)]
pub struct InvalidSettings(Vec<Error>);

impl InvalidSettings {
    /// Collects `errors`; `None` when there is none.
    pub fn of(errors: Vec<Error>) -> Option<Self> {
        (!errors.is_empty()).then_some(Self(errors))
    }

    /// The errors, each with the [key](Error::key) it is about where one is known.
    pub fn errors(&self) -> &[Error] {
        &self.0
    }
}

impl From<Error> for InvalidSettings {
    fn from(error: Error) -> Self {
        Self(vec![error])
    }
}

impl From<InvalidSettings> for Error {
    /// The first error: for callers that want one.
    fn from(mut invalid: InvalidSettings) -> Self {
        match invalid.0.is_empty() {
            true => Self::invalid("the settings are invalid"),
            false => invalid.0.swap_remove(0),
        }
    }
}

impl From<BuildError> for Error {
    fn from(error: BuildError) -> Self {
        match error {
            BuildError::Invalid(invalid) => invalid.into(),
            other => Self::invalid(other.to_string()),
        }
    }
}

impl fmt::Display for InvalidSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, error) in self.0.iter().enumerate() {
            let separator = if at == 0 { "" } else { "; " };
            write!(f, "{separator}{error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for InvalidSettings {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.first().and_then(std::error::Error::source)
    }
}

/// The reason for which a registry did not build a provider.
#[derive(Debug)]
#[non_exhaustive]
pub enum BuildError {
    /// No factory of that type is compiled in.
    UnknownType {
        /// The types that are.
        known: Vec<&'static str>,
    },
    /// The section cannot be decoded into the settings of the factory.
    Settings {
        /// The message of the decoder. It may quote the value, so a host must not show it as it is.
        message: String,
        /// The place, in bytes of the text the section was parsed from.
        span: Option<Range<usize>>,
    },
    /// The factory refused the settings or the inventory.
    Invalid(InvalidSettings),
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownType { known } => {
                write!(f, "no such provider is compiled in; compiled in: {}", known.join(", "))
            }
            Self::Settings { message, .. } => f.write_str(message),
            Self::Invalid(invalid) => invalid.fmt(f),
        }
    }
}

impl std::error::Error for BuildError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Invalid(invalid) => std::error::Error::source(invalid),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_is_shown() {
        let both = InvalidSettings::of(vec![Error::invalid("one"), Error::invalid("two").with_key("k")]);
        let both = BuildError::Invalid(both.unwrap());
        assert_eq!(both.to_string(), "one; two");
        assert!(InvalidSettings::of(Vec::new()).is_none());
    }
}
