//! The failure of a request to a backend, and whether the backend may have processed it.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use h2::Reason;
use http::Request;

use crate::http::upload::Upload;
use crate::metrics::Fault;
use crate::proxy::answer_head::InvalidFraming;
use crate::proxy::connector::NoPlace;

/// The reason why a request has no response.
#[derive(Debug)]
pub(in crate::proxy) struct Failure {
    cause: Cause,
    /// Set if the server has certainly not processed the request.
    is_unprocessed: bool,
    /// Set if other requests had used the connection before.
    is_kept: bool,
}

/// The request, if it was not written at all, and the failure.
pub(super) type Unsent = (Option<Box<Request<Upload>>>, Failure);

#[derive(Debug)]
enum Cause {
    /// There is no connection. Shared by the requests that waited for it.
    Connect(Arc<dyn StdError + Send + Sync>),
    /// The connection failed.
    Http(hyper::Error),
}

impl Failure {
    /// Creates the failure of a connection that could not be opened.
    pub(super) fn unreachable(error: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self { cause: Cause::Connect(Arc::from(error.into())), is_unprocessed: true, is_kept: false }
    }

    /// Returns the same failure for another request that waited for the connection.
    pub(super) fn shared(&self) -> Self {
        match &self.cause {
            Cause::Connect(error) => {
                Self { cause: Cause::Connect(Arc::clone(error)), is_unprocessed: true, is_kept: false }
            }
            Cause::Http(error) => Self::unreachable(error.to_string()),
        }
    }

    /// Creates the failure of an open connection. `is_unsent` if nothing of the request was written.
    pub(super) fn of(error: hyper::Error, is_unsent: bool) -> Self {
        let is_unprocessed = is_unsent || is_refused(&error);
        Self { cause: Cause::Http(error), is_unprocessed, is_kept: false }
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
        self.is_kept && matches!(&self.cause, Cause::Http(error) if !error.is_parse())
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
            Cause::Http(error) if InvalidFraming::caused(error) || error.is_parse() => Fault::Invalid,
            Cause::Http(_) => Fault::Closed,
        }
    }

    /// Describes the failure for the client.
    pub(in crate::proxy) fn describe(&self) -> &'static str {
        match &self.cause {
            Cause::Connect(_) => "cannot be reached",
            Cause::Http(error) if InvalidFraming::caused(error) => {
                "sent an invalid line about the length of its response"
            }
            Cause::Http(error) if error.is_parse_too_large() => {
                "sent a head that is too large or has more than 500 headers"
            }
            Cause::Http(error) if error.is_parse() => "sent a response that is no valid HTTP",
            Cause::Http(_) => "closed the connection early",
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
            Cause::Http(error) => fmt::Display::fmt(error, f),
        }
    }
}

impl StdError for Failure {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match &self.cause {
            Cause::Connect(error) => error.source(),
            Cause::Http(error) => error.source(),
        }
    }
}
