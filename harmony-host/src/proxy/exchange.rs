//! An exchange: one request and its response.

use http::HeaderValue;

use crate::http::connection_info::ConnectionInfo;
use crate::snapshot::{Admitted, Snapshot};

/// The context of a request. It uses the same snapshot from its first byte to its last, so a reload never mixes two
/// configurations in one exchange.
pub(super) struct Exchange<'a> {
    pub(super) snapshot: &'a Snapshot,
    pub(super) connection: &'a ConnectionInfo,
    /// The host and port, as the client sent them.
    pub(super) authority: HeaderValue,
    pub(super) admitted: Admitted<'a>,
}
