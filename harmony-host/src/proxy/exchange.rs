//! One request and its answer.

use crate::http::connection_info::ConnectionInfo;
use crate::snapshot::{Admitted, Snapshot};

/// A request on its way, with what was found out about it. It sees one snapshot from its first byte to its last.
pub(super) struct Exchange<'a> {
    pub(super) snapshot: &'a Snapshot,
    pub(super) connection: &'a ConnectionInfo,
    /// Host and port as the client wrote them.
    pub(super) authority: String,
    pub(super) admitted: Admitted<'a>,
}
