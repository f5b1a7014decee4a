//! A proxy that injects network faults between a gateway and its control plane.
//!
//! Faults of the control plane itself are [`Fault`](crate::control_plane::Fault)s. Here both peers work, and the
//! messages between them are delayed, lost, truncated, duplicated or reordered.
//!
//! ```no_run
//! # async fn example() {
//! use harmony_tests::control_plane::{ControlPlane, When};
//! use harmony_tests::fault_proxy::{FaultProxy, NetworkFault, RandomFaults};
//!
//! // The control plane uses the proxy's URL as its own, so no URL it returns bypasses the proxy.
//! let (cloud, proxy) = FaultProxy::in_front_of(ControlPlane::builder()).await;
//! proxy.inject(When::call("POST", "/harmony/change/*/applied").times(1), NetworkFault::LoseResponse);
//! proxy.randomize(RandomFaults::seeded(7).with_probability(0.3));
//! assert_eq!(cloud.url(), proxy.url());
//! # }
//! ```

mod buffered_request;
mod buffered_response;
mod network_fault;
mod random_faults;
mod serve;
#[cfg(test)]
mod tests;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::control_plane::rules::Rules;
use crate::control_plane::server::Server;
use crate::control_plane::{Builder, ControlPlane, RuleId, When};
use crate::{eventually, free_port};

pub use self::network_fault::{ForwardedResponse, NetworkFault};
pub use self::random_faults::RandomFaults;
pub use self::serve::ProxiedRequest;

/// A proxy that runs until it is dropped.
#[derive(Debug)]
pub struct FaultProxy {
    shared: Arc<Shared>,
    address: SocketAddr,
    url: String,
    server: tokio::sync::Mutex<Option<Server>>,
}

/// The state shared by all connections.
#[derive(Debug)]
struct Shared {
    upstream: SocketAddr,
    client: reqwest::Client,
    rules: Mutex<Rules<NetworkFault>>,
    random_faults: Mutex<Option<RandomFaults>>,
    unresponsive: AtomicBool,
    requests: Mutex<Vec<ProxiedRequest>>,
}

impl FaultProxy {
    /// Starts a control plane with a proxy in front. The control plane uses the proxy's URL as its own.
    ///
    /// # Panics
    /// Panics if one of them cannot listen.
    pub async fn in_front_of(cloud: Builder) -> (ControlPlane, Self) {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        let cloud = cloud.external_url(format!("http://{address}")).start().await.expect("a control plane");
        let proxy = Self::at(address, cloud.address()).await;
        (cloud, proxy)
    }

    /// Starts a proxy in front of `upstream`. URLs in the upstream's responses are not rewritten and bypass the proxy.
    ///
    /// # Panics
    /// Panics if it cannot listen.
    pub async fn to(upstream: SocketAddr) -> Self {
        Self::at((Ipv4Addr::LOCALHOST, free_port()).into(), upstream).await
    }

    async fn at(address: SocketAddr, upstream: SocketAddr) -> Self {
        // Each request gets its own connection: a reused one that the server closed would make the client send it
        // twice.
        let client = reqwest::Client::builder()
            .tls_certs_only([])
            .no_proxy()
            .pool_max_idle_per_host(0)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .expect("a client");
        let shared = Arc::new(Shared {
            upstream,
            client,
            rules: Mutex::default(),
            random_faults: Mutex::default(),
            unresponsive: AtomicBool::new(false),
            requests: Mutex::default(),
        });
        let proxy = Self { shared, address, url: format!("http://{address}"), server: None.into() };
        proxy.restart().await;
        proxy
    }

    /// `http://127.0.0.1:PORT`
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Closes the listener and drops every connection; further connections are refused.
    pub async fn stop(&self) {
        if let Some(server) = self.server.lock().await.take() {
            server.stop().await;
        }
    }

    /// Listens again at the same address, after [`stop`](Self::stop).
    ///
    /// # Panics
    /// Panics if another process has taken the address.
    pub async fn restart(&self) {
        let mut server = self.server.lock().await;
        if server.is_none() {
            let listener = Server::listen(self.address).await.expect("the address of the proxy");
            *server = Some(Server::start(listener, serve::service(&self.shared)));
        }
    }

    /// Turns unresponsive mode on or off: requests are accepted and never answered, also after the mode is turned off.
    pub fn set_unresponsive(&self, unresponsive: bool) {
        self.shared.unresponsive.store(unresponsive, Ordering::Release);
    }

    /// Adds a fault for the requests that match `when`. A gateway is recognized by its id in the path, not by its
    /// token.
    pub fn inject(&self, when: When, fault: NetworkFault) -> RuleId {
        self.shared.rules().add(when, fault)
    }

    /// Removes a fault.
    pub fn remove_fault(&self, rule: RuleId) {
        self.shared.rules().remove(rule);
    }

    /// Injects random faults into the requests that match no rule.
    pub fn randomize(&self, random_faults: RandomFaults) {
        *lock(&self.shared.random_faults) = Some(random_faults);
    }

    /// Removes every fault, the random faults and the unresponsive mode. Requests accepted meanwhile stay unanswered.
    pub fn clear_faults(&self) {
        self.shared.rules().clear();
        *lock(&self.shared.random_faults) = None;
        self.set_unresponsive(false);
    }

    /// The number of requests that a fault has hit.
    pub fn hits(&self, rule: RuleId) -> usize {
        self.shared.rules().hits(rule)
    }

    /// Waits until a fault has hit at least `hits` requests.
    ///
    /// # Panics
    /// Panics if that takes too long.
    pub async fn wait_for_hits(&self, rule: RuleId, hits: usize) {
        let enough = || async { if self.hits(rule) >= hits { Ok(()) } else { Err(self.requests()) } };
        eventually("the fault hits", enough).await;
    }

    /// All requests so far, oldest first.
    pub fn requests(&self) -> Vec<ProxiedRequest> {
        lock(&self.shared.requests).clone()
    }
}

impl Shared {
    fn rules(&self) -> MutexGuard<'_, Rules<NetworkFault>> {
        lock(&self.rules)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
