//! The context of a listener.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::snapshot::ListenerSpec;

/// The parts that the connections of a listener are served with.
pub(super) struct ListenerContext<S> {
    pub(super) address: SocketAddr,
    /// How it was served when it opened; what counts once the published snapshot no longer has it.
    pub(super) spec: Arc<ListenerSpec>,
    pub(super) service: Arc<S>,
}

impl<S> Clone for ListenerContext<S> {
    fn clone(&self) -> Self {
        Self { address: self.address, spec: Arc::clone(&self.spec), service: Arc::clone(&self.service) }
    }
}
