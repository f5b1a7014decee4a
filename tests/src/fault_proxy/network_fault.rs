//! The faults that the proxy can inject.

use std::time::Duration;

use crate::control_plane::rules::Effect;

/// A fault of the network, in a request or its response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NetworkFault {
    /// Delays the request.
    Delay(Duration),
    /// Delays the response.
    DelayResponse(Duration),
    /// Cuts the connection; the request does not arrive.
    Cut,
    /// Delivers the request and cuts the connection before the response.
    LoseResponse,
    /// Delivers the request and cuts the connection within the response's headers.
    HalfHeaders,
    /// Delivers the request and cuts the connection in the middle of the response's body.
    HalfBody,
    /// Delivers the request and half of the response's body, with a matching `Content-Length`.
    Truncate,
    /// Delivers the request twice, one after the other, and forwards one of the responses.
    Duplicate(ForwardedResponse),
    /// Accepts the request and delivers nothing; the connection stays open.
    Silence,
    /// Reverses the list in the response.
    Reverse,
    /// Shuffles the list in the response; the same seed gives the same order.
    Shuffle(u64),
    /// Duplicates every entry of the list in the response.
    DuplicateEntries,
}

/// The response that is forwarded after a duplicate request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForwardedResponse {
    /// The response to the first request.
    First,
    /// The response to the second request.
    Second,
}

impl Effect for NetworkFault {
    fn is_delay(&self) -> bool {
        matches!(self, Self::Delay(_))
    }
}
