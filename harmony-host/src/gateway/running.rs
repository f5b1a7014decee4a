//! A host with the built-in gateway.

use std::net::SocketAddr;
use std::ops::Deref;
use std::time::Duration;

use tokio::time::Instant;

use crate::diagnostics::rejection::Rejection;
use crate::gateway::Gateway;
use crate::gateway::address_file::AddressFile;
use crate::host::{Host, HostOptions, absolute};
use crate::last_good;
use crate::metrics::Traffic;

/// A host with the built-in gateway, as the binary runs it.
///
/// Dereferences to its [`Host`]. Dropping it aborts the host and closes the listeners.
#[derive(Debug)]
pub struct RunningGateway {
    host: Host,
    gateway: Gateway,
    address_file: AddressFile,
}

impl RunningGateway {
    /// Starts a gateway: reads the configuration, binds its addresses and serves.
    ///
    /// # Errors
    /// The errors of [`Host::start`].
    pub async fn start(options: HostOptions) -> Result<Self, Rejection> {
        Self::start_observed(options, Traffic::new(true, None)).await
    }

    /// Starts a gateway that counts and logs its requests in `traffic`.
    ///
    /// # Errors
    /// The errors of [`Host::start`].
    pub(crate) async fn start_observed(options: HostOptions, traffic: Traffic) -> Result<Self, Rejection> {
        let gateway = Gateway::observed(traffic);
        let directory = last_good::directory(&options.state_dir, &absolute(&options.config));
        let host = Host::start(options, gateway.clone()).await?;
        gateway.mount(&host);
        let address_file = AddressFile::keep(&host, &directory).await;
        Ok(Self { host, gateway, address_file })
    }

    /// Returns the addresses of the listeners.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.gateway.addresses()
    }

    /// Stops the sync and the apply task, closes the listeners, and waits for requests in flight, at most for `limit`.
    /// Returns whether all finished. Another gateway can then use the files.
    pub async fn shut_down(self, limit: Duration) -> bool {
        self.drain(limit, std::future::pending()).await == 0
    }

    /// Shuts down as [`shut_down`](Self::shut_down) does, and at once when `hurry` is ready. Returns the number of requests
    /// that did not finish.
    pub(crate) async fn drain(self, limit: Duration, hurry: impl Future<Output = ()> + Send) -> usize {
        let (start, mut hurry) = (Instant::now(), std::pin::pin!(hurry));
        self.host.announce_stop();
        let host = async {
            // Before the lock is released: the next gateway may write this file as soon as it has the lock.
            let removed = tokio::task::spawn_blocking(move || drop(self.address_file));
            let _ = tokio::time::timeout(limit, removed).await;
            self.host.shut_down(limit).await;
        };
        let is_urgent = tokio::select! {
            biased;
            () = &mut hurry => true,
            () = host => false,
        };
        match is_urgent {
            true => self.gateway.drain(Duration::ZERO, std::future::pending()).await,
            false => self.gateway.drain(limit.saturating_sub(start.elapsed()), hurry).await,
        }
    }

    /// Returns the number of requests in flight, those for the management API included.
    pub(crate) async fn requests_in_flight(&self) -> usize {
        self.gateway.requests_in_flight().await
    }
}

impl Deref for RunningGateway {
    type Target = Host;

    fn deref(&self) -> &Host {
        &self.host
    }
}
