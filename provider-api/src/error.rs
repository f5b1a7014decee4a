//! The error of every call of the contract, and its kinds.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use crate::TokenFault;

/// The result of a call of the contract.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The meaning of an [`Error`] to the gateway. The host decides by the kind alone.
///
/// A host maps the kinds to HTTP in one place: [`NotFound`](ErrorKind::NotFound) is 404,
/// [`Denied`](ErrorKind::Denied) 403, [`Unavailable`](ErrorKind::Unavailable) 503, and
/// [`Invalid`](ErrorKind::Invalid) rejects the configuration that caused it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The requested object certainly does not exist.
    NotFound,
    /// The request is not permitted to this gateway, user or token, whether or not the object exists.
    Denied,
    /// The provider cannot answer now, and a later call may succeed. The control plane is unreachable or
    /// overloaded, its response cannot be decoded, the gateway's own credential is missing or refused, or
    /// keys cannot be fetched.
    Unavailable,
    /// The request itself is wrong, and will fail until its content changes.
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

/// The error of a provider.
///
/// `Display` writes the context alone. The cause is in [`source`](StdError::source) only, so that a log line
/// that walks the chain repeats nothing. Neither may contain a secret.
///
/// ```
/// use std::error::Error as _;
/// use std::time::Duration;
///
/// use provider_api::{Error, ErrorKind};
///
/// let error = Error::unavailable("the control plane at https://api.example did not answer")
///     .with_source("connection refused")
///     .with_retry_after(Duration::from_secs(30));
/// assert_eq!(error.kind(), ErrorKind::Unavailable);
/// assert_eq!(error.source().unwrap().to_string(), "connection refused");
/// ```
pub struct Error {
    kind: ErrorKind,
    context: Cow<'static, str>,
    key: Option<Cow<'static, str>>,
    token_fault: Option<TokenFault>,
    retry_after: Option<Duration>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// Creates an error. `context` tells the operator of the gateway what failed, in one short sentence.
    pub fn new(kind: ErrorKind, context: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, context: context.into(), key: None, token_fault: None, retry_after: None, source: None }
    }

    /// Creates an error of the kind [`ErrorKind::NotFound`].
    pub fn not_found(context: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::NotFound, context)
    }

    /// Creates an error of the kind [`ErrorKind::Denied`].
    pub fn denied(context: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Denied, context)
    }

    /// Creates an error of the kind [`ErrorKind::Unavailable`].
    pub fn unavailable(context: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Unavailable, context)
    }

    /// Creates an error of the kind [`ErrorKind::Invalid`].
    pub fn invalid(context: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Invalid, context)
    }

    /// Adds the cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Adds the configuration key that is wrong, as a dotted path from the top of the file, such as
    /// `provider.runbeam.api` or `mesh.imaging.jwt_secret`. The host maps it to a file and a line.
    #[must_use]
    pub fn with_key(mut self, key: impl Into<Cow<'static, str>>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Adds the fault of the mesh token that was denied, so that the host can count refusals by their reason.
    #[must_use]
    pub fn with_token_fault(mut self, fault: TokenFault) -> Self {
        self.token_fault = Some(fault);
        self
    }

    /// Adds the delay that the control plane demands before the next call (`Retry-After`, RFC 9110, section
    /// 10.2.3).
    #[must_use]
    pub fn with_retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// Returns the kind.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Returns the configuration key that is wrong, as a dotted path from the top of the file.
    pub fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    /// Returns the fault of the mesh token that was denied, if the error is about one.
    pub fn token_fault(&self) -> Option<TokenFault> {
        self.token_fault
    }

    /// Returns the delay that the control plane demands before the next call, if it sent one.
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
        if let Some(fault) = &self.token_fault {
            s.field("token_fault", fault);
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
    fn display_does_not_repeat_the_cause() {
        let error = Error::unavailable("listing changes failed").with_source("connection refused");
        assert_eq!(error.to_string(), "listing changes failed");
        assert_eq!(error.source().map(ToString::to_string).as_deref(), Some("connection refused"));
    }
}
