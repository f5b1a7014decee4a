//! The network of a connection.

use crate::http::connection_info::ConnectionInfo;
use crate::snapshot::Snapshot;

impl Snapshot {
    /// Returns the current name of a connection's network: it may have changed since the connection was accepted.
    pub(crate) fn network_of<'a>(&'a self, connection: &'a ConnectionInfo) -> &'a str {
        self.listeners.get(&connection.listener).map_or(&*connection.network, |spec| &*spec.network)
    }
}
