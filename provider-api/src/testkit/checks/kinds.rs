use crate::ErrorKind::{self, Denied, Invalid, NotFound, Unavailable};
use crate::testkit::Exchange;

/// What a status means to each exchange: the one place where the kit says so.
pub(super) fn of_status(exchange: Exchange, status: u16) -> &'static [ErrorKind] {
    use Exchange::{Enroll, Fetch, Issue, Keys, Pending, Publish, Report, Resolve};
    match (status, exchange) {
        // Keys that cannot be had, and a list that cannot be had, have one meaning.
        (_, Keys | Pending) => &[Unavailable],
        // The person was refused; everywhere else it is the gateway's own credential.
        (401 | 403, Enroll) => &[Denied],
        (401, _) => &[Unavailable],
        (403, Fetch | Report) => &[Unavailable],
        (403, _) => &[Denied],
        (404, Enroll) => &[Unavailable],
        (404, Fetch | Report | Resolve | Issue | Publish) => &[NotFound],
        (400 | 422, Enroll | Publish) => &[Invalid],
        (400 | 409 | 422, Issue) => &[Invalid, Denied, Unavailable],
        (400 | 409 | 422, _) => &[Invalid, Unavailable],
        _ => &[Unavailable],
    }
}

/// What an answer means that is none. A change that came and is no change may be called so.
pub(super) fn of_nonsense(exchange: Exchange) -> &'static [ErrorKind] {
    match exchange {
        Exchange::Fetch => &[Unavailable, Invalid],
        _ => &[Unavailable],
    }
}
