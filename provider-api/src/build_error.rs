//! The errors of building a provider.

use std::fmt;
use std::ops::Range;

use crate::Error;

/// The errors that a factory found in its settings or in the inventory. Never empty.
///
/// A factory reports all errors at once, so that an operator can repair the configuration in one edit.
#[derive(Debug)]
pub struct InvalidSettings(Vec<Error>);

impl InvalidSettings {
    /// Wraps `errors`. Returns `None` when there are none.
    pub fn of(errors: Vec<Error>) -> Option<Self> {
        (!errors.is_empty()).then_some(Self(errors))
    }

    /// Returns the errors, each with its [key](Error::key) where it is known.
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
    /// Returns the first error, for callers that show one error only.
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

/// The error of [`Registry::build`](crate::Registry::build).
#[derive(Debug)]
#[non_exhaustive]
pub enum BuildError {
    /// No factory of that type is registered.
    UnknownType {
        /// The types that are registered.
        known: Vec<&'static str>,
    },
    /// The section cannot be decoded into the settings of the factory.
    Settings {
        /// The message of the decoder. It may quote a value, which may be a secret: a host must not show it
        /// unmasked.
        message: String,
        /// The position, as a range of bytes in the text of the configuration.
        span: Option<Range<usize>>,
    },
    /// The factory rejected the settings or the inventory.
    Invalid(InvalidSettings),
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownType { known } => {
                write!(f, "the provider type is not compiled in; compiled in: {}", known.join(", "))
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
    fn display_shows_all_errors() {
        let both = InvalidSettings::of(vec![Error::invalid("one"), Error::invalid("two").with_key("k")]);
        let both = BuildError::Invalid(both.unwrap());
        assert_eq!(both.to_string(), "one; two");
        assert!(InvalidSettings::of(Vec::new()).is_none());
    }
}
