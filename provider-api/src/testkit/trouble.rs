//! The faults that a world can simulate.

use std::time::Duration;

/// A fault of the exchanges of one kind, until [`World::calm`](super::World::calm).
///
/// A [`StandIn`](super::StandIn) simulates all of them. A world whose control plane does not speak HTTP
/// simulates the closest equivalent, or returns [`Cannot`](super::Cannot).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Trouble {
    /// An error response of the control plane with this status. The request has no effect.
    Status(u16),
    /// The same with `Retry-After`, in whole seconds.
    Wait(u16, Duration),
    /// The same with a message that quotes the credential of the request.
    Quotes(u16),
    /// An HTML page with this status, as from a proxy between gateway and control plane.
    Page(u16),
    /// The correct response with another content type.
    ContentType,
    /// A response with status 200 and the correct content type that cannot be decoded.
    Garbage,
    /// A response that can be decoded but has none of the expected fields.
    Shape,
    /// The correct response with all strings empty.
    Blank,
    /// The correct response with all numbers replaced by the largest one, which overflows dates and sizes.
    HugeNumbers,
    /// The correct response with additional, unknown fields.
    MoreFields,
    /// No response, on a connection that stays open.
    Silence,
    /// A connection that closes before the response.
    Cut,
    /// A connection that closes in the middle of the response.
    HalfBody,
    /// A response without end, at full speed.
    EndlessBody,
    /// A response without end, one byte at a time, so that a deadline per read never expires.
    Drip,
    /// The correct response after this delay.
    Delay(Duration),
    /// A redirect to this URL of another origin.
    Redirect(String),
    /// A connection that closes before the response, after the request has taken effect.
    LostAnswer,
    /// No connection at all. May affect other exchanges as well.
    Unreachable,
}
