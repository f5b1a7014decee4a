use std::time::Duration;

use crate::control_plane::rules::Strikes;

/// What happens to a request, or to its answer, on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mishap {
    /// The request arrives that much later.
    Delay(Duration),
    /// The answer arrives that much later.
    DelayAnswer(Duration),
    /// The connection is cut before the request has arrived.
    Cut,
    /// The request arrives, and the connection is cut before the answer does.
    LoseAnswer,
    /// The request arrives, and the connection is cut within the headers of the answer.
    HalfHeaders,
    /// The request arrives, and the connection is cut in the middle of the answer's body.
    HalfBody,
    /// The request arrives, and half of the answer's body arrives as if that were all of it.
    Truncate,
    /// The request arrives twice, one after the other, and one of the answers arrives.
    Twice(Heard),
    /// The request is taken in and arrives nowhere; the connection stays open.
    Silence,
    /// The answer's list arrives in the opposite order.
    Reverse,
    /// The answer's list arrives in an order of chance, the same for the same seed.
    Shuffle(u64),
    /// Every entry of the answer's list is there twice.
    Repeat,
}

/// Which of two answers arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// The one to the first request.
    First,
    /// The one to the second.
    Second,
}

impl Strikes for Mishap {
    fn waits(&self) -> bool {
        matches!(self, Self::Delay(_))
    }
}
