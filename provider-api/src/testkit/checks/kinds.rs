//! The error kinds that the contract demands.

use crate::ErrorKind::{self, Denied, Invalid, NotFound, Unavailable};
use crate::testkit::Exchange;

/// Returns the kinds that the contract permits for an HTTP status.
pub(super) fn kinds_of_status(exchange: Exchange, status: u16) -> &'static [ErrorKind] {
    use Exchange::{Enroll, Fetch, Issue, Keys, Pending, Publish, Report, Resolve};
    match (status, exchange) {
        // Whatever the status, the keys or the list are not available: no caller has asked for one object.
        (_, Keys | Pending) => &[Unavailable],
        // Here the control plane has refused the user; elsewhere, the credential of the gateway.
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

/// Returns the kinds that the contract permits for a malformed response. A malformed change may be `Invalid`.
pub(super) fn kinds_of_malformed(exchange: Exchange) -> &'static [ErrorKind] {
    match exchange {
        Exchange::Fetch => &[Unavailable, Invalid],
        _ => &[Unavailable],
    }
}
