//! A part of a response over HTTP/1, or the reason why there is none.

use std::error::Error as StdError;
use std::fmt;

use bytes::Bytes;
use http::HeaderMap;

/// The next part of a body.
#[derive(Debug)]
pub(super) enum Decoded {
    Data(Bytes),
    Trailers(HeaderMap),
    /// Nothing: more must be read.
    More,
    End,
}

/// The reason why a response is not passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Malformed {
    /// The head is no valid HTTP.
    Head,
    /// The head is too large, or has too many headers.
    TooLarge,
    /// A line about the framing is invalid.
    Framing,
    /// The transfer coding is not the one that every client understands.
    Coding,
    /// The body has this.
    Body(&'static str),
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Head => "the head of the response is no valid HTTP",
            Self::TooLarge => "the head of the response is too large or has too many headers",
            Self::Framing => "the response has an invalid Content-Length or Transfer-Encoding line",
            Self::Coding => "the response has a transfer coding other than chunked",
            Self::Body(found) => return write!(f, "the body of the response has {found}"),
        })
    }
}

impl StdError for Malformed {}
