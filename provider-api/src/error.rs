use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

/// The result of every call of the contract.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What an [`Error`] means to the gateway. Each kind has exactly one meaning.
///
/// A host maps the kinds to HTTP in one place: [`NotFound`](ErrorKind::NotFound) is 404,
/// [`Denied`](ErrorKind::Denied) 403, [`Unavailable`](ErrorKind::Unavailable) 503 and
/// [`Invalid`](ErrorKind::Invalid) refuses the configuration that caused it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The thing asked for does not exist, and the provider is sure of it.
    NotFound,
    /// The thing exists or may exist, and this gateway, or this token, is not permitted.
    Denied,
    /// The provider cannot answer now: unreachable, overloaded, the gateway's own credential is
    /// missing or refused, or its keys cannot be fetched. Asking again later may succeed.
    Unavailable,
    /// What was asked makes no sense and will not until somebody changes it.
    Invalid,
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotFound => "not found",
            Self::Denied => "denied",
            Self::Unavailable => "unavailable",
            Self::Invalid => "invalid",
        })
    }
}

/// Why a provider did not do what it was asked.
///
/// `Display` is the context alone; the cause is in [`source`](StdError::source) and nowhere else, so
/// that a report which walks the chain says nothing twice. Neither may carry a secret.
pub struct Error {
    kind: ErrorKind,
    context: Cow<'static, str>,
    key: Option<Cow<'static, str>>,
    retry_after: Option<Duration>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error of `kind`; `context` says what was tried, in words for the person who operates the gateway.
    pub fn new(kind: ErrorKind, context: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, context: context.into(), key: None, retry_after: None, source: None }
    }

    /// An error of kind [`ErrorKind::NotFound`].
    pub fn not_found(context: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::NotFound, context)
    }

    /// An error of kind [`ErrorKind::Denied`].
    pub fn denied(context: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Denied, context)
    }

    /// An error of kind [`ErrorKind::Unavailable`].
    pub fn unavailable(context: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Unavailable, context)
    }

    /// An error of kind [`ErrorKind::Invalid`].
    pub fn invalid(context: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Invalid, context)
    }

    /// Adds the cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Adds the key of the configuration that is wrong, dotted from the top of the file:
    /// `provider.runbeam.api`, `mesh.imaging.jwt_secret`. The host turns it into a file and a line.
    #[must_use]
    pub fn with_key(mut self, key: impl Into<Cow<'static, str>>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Adds how long the other side asked to be left alone.
    #[must_use]
    pub fn with_retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// What the error means.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The key of the configuration that is wrong, dotted from the top of the file.
    pub fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    /// How long the other side asked to be left alone, when it said so.
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.context)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut s = f.debug_struct("Error");
        s.field("kind", &self.kind).field("context", &self.context);
        if let Some(key) = &self.key {
            s.field("key", key);
        }
        if let Some(wait) = self.retry_after {
            s.field("retry_after", &wait);
        }
        if let Some(source) = &self.source {
            s.field("source", &source.to_string());
        }
        s.finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|e| e as &(dyn StdError + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cause_is_in_source_and_not_in_display() {
        let error = Error::unavailable("asking for changes").with_source("connection refused");
        assert_eq!(error.to_string(), "asking for changes");
        assert_eq!(error.source().map(ToString::to_string).as_deref(), Some("connection refused"));
    }
}
