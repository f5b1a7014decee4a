//! The failure of a request to a backend, and whether the backend may have processed it.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::sync::Arc;

use h2::Reason;
use rustls::CertificateError;
use tokio::time::error::Elapsed;

use crate::http::body::BodyError;
use crate::metrics::Fault;
use crate::proxy::connector::NoPlace;
use crate::proxy::pool::decoded::Malformed;
use crate::proxy::pool::output::WriteError;

/// The reason why a request has no response.
#[derive(Debug)]
pub(in crate::proxy) struct Failure {
    cause: Cause,
    /// Set if the connection was closed before the request, of which nothing was read or written.
    is_unsent: bool,
    /// Set if the server has certainly not processed the request.
    is_unprocessed: bool,
    /// Set if other requests had used the connection before.
    is_kept: bool,
}

#[derive(Debug)]
enum Cause {
    /// There is no connection. Shared by the requests that waited for it.
    Connect(Arc<dyn StdError + Send + Sync>),
    /// A connection of HTTP/2 failed.
    Http2(hyper::Error),
    /// A connection of HTTP/1 failed.
    Http1(Broken),
}

/// The reason why an exchange over HTTP/1 ends early.
#[derive(Debug)]
pub(super) enum Broken {
    /// The server has closed the connection before the end of the response.
    Closed,
    Io(io::Error),
    Malformed(Malformed),
    /// The body of the request has failed.
    Request(BodyError),
}

impl Failure {
    /// Creates the failure of a connection that could not be opened.
    pub(super) fn unreachable(error: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self {
            cause: Cause::Connect(Arc::from(error.into())),
            is_unsent: false,
            is_unprocessed: true,
            is_kept: false,
        }
    }

    /// Returns the same failure for another request that waited for the connection.
    pub(super) fn shared(&self) -> Self {
        match &self.cause {
            Cause::Connect(error) => Self {
                cause: Cause::Connect(Arc::clone(error)),
                is_unsent: false,
                is_unprocessed: true,
                is_kept: false,
            },
            Cause::Http2(_) | Cause::Http1(_) => Self::unreachable(self.to_string()),
        }
    }

    /// Creates the failure of an open connection of HTTP/2. `is_unsent` if nothing of the request was written.
    pub(super) fn http2(error: hyper::Error, is_unsent: bool) -> Self {
        let is_unprocessed = is_unsent || is_refused(&error);
        Self { cause: Cause::Http2(error), is_unsent, is_unprocessed, is_kept: false }
    }

    /// Creates the failure of an open connection of HTTP/1. `is_begun` if the request was begun, `is_written` if a byte of it was
    /// written.
    pub(super) fn http1(broken: Broken, is_begun: bool, is_written: bool) -> Self {
        let is_unprocessed = !is_begun || !is_written;
        Self { cause: Cause::Http1(broken), is_unsent: !is_begun, is_unprocessed, is_kept: false }
    }

    /// Returns whether the connection was closed before the request, which can be sent on another one.
    pub(super) fn is_unsent(&self) -> bool {
        self.is_unsent
    }

    /// Notes whether other requests had used the connection before.
    pub(super) fn on(self, is_kept: bool) -> Self {
        Self { is_kept, ..self }
    }

    /// Returns whether the server has certainly not processed the request.
    pub(in crate::proxy) fn is_unprocessed(&self) -> bool {
        self.is_unprocessed
    }

    /// Returns whether the connection was one that the server may have closed before the request.
    pub(in crate::proxy) fn is_stale(&self) -> bool {
        let is_malformed = match &self.cause {
            Cause::Connect(_) => return false,
            Cause::Http2(error) => error.is_parse(),
            Cause::Http1(broken) => matches!(broken, Broken::Malformed(_)),
        };
        self.is_kept && !is_malformed
    }

    /// Returns whether there was no place for another connection.
    pub(in crate::proxy) fn is_no_place(&self) -> bool {
        matches!(&self.cause, Cause::Connect(error) if NoPlace::caused(&**error))
    }

    /// Returns the kind that the failure is counted by.
    pub(in crate::proxy) fn fault(&self) -> Fault {
        match &self.cause {
            Cause::Connect(_) if self.is_no_place() => Fault::NoPlace,
            Cause::Connect(_) => Fault::Unreachable,
            Cause::Http2(error) if error.is_parse() => Fault::Invalid,
            Cause::Http1(Broken::Malformed(_)) => Fault::Invalid,
            Cause::Http2(_) | Cause::Http1(_) => Fault::Closed,
        }
    }

    /// Returns the words of its first cause, for the operator: they may name internal addresses.
    pub(in crate::proxy) fn root(&self) -> String {
        match self.chain().last() {
            Some(root) if root.is::<Elapsed>() => "no answer before the deadline".to_owned(),
            root => root.map_or_else(|| self.to_string(), ToString::to_string),
        }
    }

    /// Returns the remedy.
    pub(in crate::proxy) fn remedy(&self) -> &'static str {
        let tls = self.chain().find_map(|error| error.downcast_ref::<rustls::Error>());
        match tls {
            Some(rustls::Error::InvalidCertificate(error)) => match error {
                CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                    "renew the certificate of the backend; if it is valid, correct the clock of this machine"
                }
                CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                    "compare the clock of this machine with the begin of the certificate of the backend"
                }
                _ => {
                    "compare the certificate of the backend with its URL and with the authority that this gateway trusts"
                }
            },
            Some(_) => "compare the TLS settings of the backend with its URL",
            None => self.fault().remedy(),
        }
    }

    /// Returns the causes, the root as the last one. The error inside an I/O error is one of them.
    fn chain(&self) -> impl Iterator<Item = &(dyn StdError + 'static)> {
        let first: &(dyn StdError + 'static) = match &self.cause {
            Cause::Connect(error) => &**error,
            Cause::Http2(error) => error,
            Cause::Http1(error) => error,
        };
        std::iter::successors(Some(first), |error| {
            let error: &(dyn StdError + 'static) = *error;
            match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
                Some(inner) => Some(inner),
                None => error.source(),
            }
        })
    }

    /// Describes the failure for the client.
    pub(in crate::proxy) fn describe(&self) -> &'static str {
        match &self.cause {
            Cause::Connect(_) => "cannot be reached",
            Cause::Http2(error) if error.is_parse() => "sent a response that is no valid HTTP",
            Cause::Http1(Broken::Malformed(malformed)) => match malformed {
                Malformed::Framing => "sent an invalid line about the length of its response",
                Malformed::TooLarge => "sent a head that is too large or has more than 500 headers",
                Malformed::Coding => "sent a transfer coding that it was not asked for",
                Malformed::Head | Malformed::Body(_) => "sent a response that is no valid HTTP",
            },
            Cause::Http2(_) | Cause::Http1(_) => "closed the connection early",
        }
    }
}

/// Returns whether the server said that it has not processed the request (RFC 9113, section 8.7): it refused the stream, or
/// went away without it.
fn is_refused(error: &hyper::Error) -> bool {
    let mut sources = std::iter::successors(error.source(), |error| (*error).source());
    sources.find_map(|source| source.downcast_ref::<h2::Error>()).is_some_and(|error| {
        let has = |reason| error.reason() == Some(reason);
        error.is_remote()
            && (error.is_reset() && has(Reason::REFUSED_STREAM)
                || error.is_go_away() && has(Reason::NO_ERROR))
    })
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.cause {
            Cause::Connect(error) => fmt::Display::fmt(error, f),
            Cause::Http2(error) => fmt::Display::fmt(error, f),
            Cause::Http1(error) => fmt::Display::fmt(error, f),
        }
    }
}

impl StdError for Failure {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match &self.cause {
            Cause::Connect(error) => error.source(),
            Cause::Http2(error) => error.source(),
            Cause::Http1(error) => error.source(),
        }
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Closed => "the connection was closed before the end of the response",
            Self::Io(_) => "the connection has failed",
            Self::Malformed(malformed) => return fmt::Display::fmt(malformed, f),
            Self::Request(_) => "the request body has failed",
        })
    }
}

impl StdError for Broken {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Closed | Self::Malformed(_) => None,
            Self::Io(error) => Some(error),
            Self::Request(error) => Some(&**error),
        }
    }
}

impl From<Malformed> for Broken {
    fn from(malformed: Malformed) -> Self {
        Self::Malformed(malformed)
    }
}

impl From<WriteError> for Broken {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Io(error) => Self::Io(error),
            WriteError::Body(error) => Self::Request(error),
        }
    }
}
