//! The context that a listener gives to its connections.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::snapshot::ListenerSpec;

/// The context of a listener, cloned for each connection.
pub(super) struct ListenerContext<S> {
    pub(super) address: SocketAddr,
    /// The settings at the time of opening. They apply when the published snapshot no longer has the listener.
    pub(super) spec: Arc<ListenerSpec>,
    pub(super) service: Arc<S>,
}

impl<S> Clone for ListenerContext<S> {
    fn clone(&self) -> Self {
        Self { address: self.address, spec: Arc::clone(&self.spec), service: Arc::clone(&self.service) }
    }
}
