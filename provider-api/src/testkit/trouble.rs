use std::time::Duration;

/// What goes wrong with the exchanges of one kind, until the world is calm again.
///
/// A [`StandIn`](super::StandIn) does all of them. A world whose control plane is no HTTP server does what comes
/// closest, or says [`Cannot`](super::Cannot).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Trouble {
    /// This status with an error as the control plane writes them. The request is not carried out.
    Status(u16),
    /// The same, asking to be left alone for so long (`Retry-After`), in whole seconds.
    Wait(u16, Duration),
    /// The same, with a message that repeats the credential of the request.
    Quotes(u16),
    /// This status with a page of HTML, as a proxy in between sends it.
    Page(u16),
    /// The right answer under another content type.
    ContentType,
    /// An answer that says it is what it should be, and cannot be decoded.
    Garbage,
    /// An answer that can be decoded and is about nothing that was asked.
    Shape,
    /// The right answer with every text in it blank.
    Blank,
    /// The right answer with every number in it larger than anything can be counted or dated with.
    HugeNumbers,
    /// The right answer with fields that nobody knows yet.
    MoreFields,
    /// No answer, on a connection that stays open.
    Silence,
    /// The connection is cut before the answer.
    Cut,
    /// The connection is cut in the middle of the answer.
    HalfBody,
    /// An answer without an end, as fast as it can be read.
    EndlessBody,
    /// An answer without an end that comes a byte at a time, so that there is never a long silence.
    Drip,
    /// The right answer, so much later.
    Delay(Duration),
    /// A redirection to this URL, which is of another origin.
    Redirect(String),
    /// The request is carried out, and the connection cut before the answer.
    LostAnswer,
    /// Nobody is there at all; other exchanges may be struck as well.
    Unreachable,
}
