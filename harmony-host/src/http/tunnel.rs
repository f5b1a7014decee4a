//! The tunnel that follows the last response of a connection.

use std::fmt;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};

/// The work of a tunnel. It ends when one of its sides does.
pub(crate) type Tunnel = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The place at a connection for its tunnel. The connection runs it, so that a tunnel counts as an open connection and ends
/// with it.
#[derive(Default)]
pub(crate) struct TunnelSlot(Mutex<Option<Tunnel>>);

impl TunnelSlot {
    /// Sets the tunnel that follows the response.
    pub(crate) fn put(&self, tunnel: Tunnel) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(tunnel);
    }

    /// Takes the tunnel; `None` if the connection has none.
    pub(crate) fn take(&self) -> Option<Tunnel> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl fmt::Debug for TunnelSlot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TunnelSlot")
    }
}
