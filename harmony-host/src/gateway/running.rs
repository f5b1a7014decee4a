//! A host with the built-in gateway.

use std::net::SocketAddr;
use std::ops::Deref;
use std::time::Duration;

use tokio::time::Instant;

use crate::diagnostics::rejection::Rejection;
use crate::gateway::Gateway;
use crate::host::{Host, HostOptions};

/// A host with the built-in gateway, as the binary runs it.
///
/// Dereferences to its [`Host`]. Dropping it aborts the host and closes the listeners.
#[derive(Debug)]
pub struct RunningGateway {
    host: Host,
    gateway: Gateway,
}

impl RunningGateway {
    /// Starts a gateway: reads the configuration, binds its addresses and serves.
    ///
    /// # Errors
    /// The errors of [`Host::start`].
    pub async fn start(options: HostOptions) -> Result<Self, Rejection> {
        let gateway = Gateway::new();
        let host = Host::start(options, gateway.clone()).await?;
        gateway.mount(&host);
        Ok(Self { host, gateway })
    }

    /// Returns the addresses of the listeners.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.gateway.addresses()
    }

    /// Stops the sync and the apply task, closes the listeners, and waits for requests in flight, at most for `limit`.
    /// Returns whether all finished. Another gateway can then use the files.
    pub async fn shut_down(self, limit: Duration) -> bool {
        let start = Instant::now();
        self.host.shut_down(limit).await;
        self.gateway.shut_down(limit.saturating_sub(start.elapsed())).await
    }
}

impl Deref for RunningGateway {
    type Target = Host;

    fn deref(&self) -> &Host {
        &self.host
    }
}
