//! A proxy between a gateway and its control plane, where the network between them fails as it is told to.
//!
//! What the control plane itself does wrong is [`Fault`](crate::control_plane::Fault)s; here both sides are well and
//! what they say to each other is late, lost, cut short, said twice or out of order.
//!
//! ```no_run
//! # async fn example() {
//! use harmony_tests::control_plane::{ControlPlane, When};
//! use harmony_tests::fault_proxy::{FaultProxy, Mishap, Weather};
//!
//! // The control plane calls itself by the proxy's URL, so nothing it names leads around the proxy.
//! let (cloud, proxy) = FaultProxy::before(ControlPlane::builder()).await;
//! proxy.fault(When::call("POST", "/harmony/change/*/applied").times(1), Mishap::LoseAnswer);
//! proxy.weather(Weather::seeded(7).striking(0.3));
//! assert_eq!(cloud.url(), proxy.url());
//! # }
//! ```

mod answer;
mod mishap;
mod parcel;
mod serve;
#[cfg(test)]
mod tests;
mod weather;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::control_plane::rules::Rules;
use crate::control_plane::server::Server;
use crate::control_plane::{Builder, ControlPlane, RuleId, When};
use crate::{eventually, free_port};

pub use self::mishap::{Heard, Mishap};
pub use self::serve::Passed;
pub use self::weather::Weather;

/// A proxy that runs until it is dropped.
#[derive(Debug)]
pub struct FaultProxy {
    shared: Arc<Shared>,
    address: SocketAddr,
    url: String,
    server: tokio::sync::Mutex<Option<Server>>,
}

/// What the connections share.
#[derive(Debug)]
struct Shared {
    upstream: SocketAddr,
    client: reqwest::Client,
    rules: Mutex<Rules<Mishap>>,
    weather: Mutex<Option<Weather>>,
    silent: AtomicBool,
    passed: Mutex<Vec<Passed>>,
}

impl FaultProxy {
    /// A control plane with a proxy in front, by whose URL it calls itself.
    ///
    /// # Panics
    /// When one of them cannot listen.
    pub async fn before(cloud: Builder) -> (ControlPlane, Self) {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        let cloud = cloud.known_as(format!("http://{address}")).start().await.expect("a control plane");
        let proxy = Self::at(address, cloud.address()).await;
        (cloud, proxy)
    }

    /// A proxy in front of whatever is at `upstream`. A URL that the other side names leads around it.
    ///
    /// # Panics
    /// When it cannot listen.
    pub async fn to(upstream: SocketAddr) -> Self {
        Self::at((Ipv4Addr::LOCALHOST, free_port()).into(), upstream).await
    }

    async fn at(address: SocketAddr, upstream: SocketAddr) -> Self {
        // Each request has a connection of its own, so that none is sent twice because an old one was closed.
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
            weather: Mutex::default(),
            silent: AtomicBool::new(false),
            passed: Mutex::default(),
        });
        let proxy = Self { shared, address, url: format!("http://{address}"), server: None.into() };
        proxy.start_again().await;
        proxy
    }

    /// `http://127.0.0.1:PORT`
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Closes the port and drops every connection: whoever connects is refused.
    pub async fn stop(&self) {
        if let Some(server) = self.server.lock().await.take() {
            server.stop().await;
        }
    }

    /// Listens again, at the same address.
    ///
    /// # Panics
    /// When somebody else took the address.
    pub async fn start_again(&self) {
        let mut server = self.server.lock().await;
        if server.is_none() {
            let listener = Server::listen(self.address).await.expect("the address of the proxy");
            *server = Some(Server::start(listener, serve::service(&self.shared)));
        }
    }

    /// Takes every request in and says nothing, or serves again. What was taken in stays unanswered.
    pub fn swallow(&self, silent: bool) {
        self.shared.silent.store(silent, Ordering::Release);
    }

    /// Programs a mishap. A gateway is known by its id in the path, and not by its token.
    pub fn fault(&self, when: When, mishap: Mishap) -> RuleId {
        self.shared.rules().add(when, mishap)
    }

    /// Removes a mishap.
    pub fn unfault(&self, rule: RuleId) {
        self.shared.rules().remove(rule);
    }

    /// What may happen to requests that no rule strikes.
    pub fn weather(&self, weather: Weather) {
        *lock(&self.shared.weather) = Some(weather);
    }

    /// Removes every mishap, the weather and the silence. What was taken in stays unanswered.
    pub fn clear_faults(&self) {
        self.shared.rules().clear();
        *lock(&self.shared.weather) = None;
        self.swallow(false);
    }

    /// How many requests a mishap struck.
    pub fn hits(&self, rule: RuleId) -> usize {
        self.shared.rules().hits(rule)
    }

    /// Waits until a mishap has struck so many requests.
    ///
    /// # Panics
    /// When that takes too long.
    pub async fn wait_for_hits(&self, rule: RuleId, hits: usize) {
        let enough = || async { if self.hits(rule) >= hits { Ok(()) } else { Err(self.passed()) } };
        eventually("a mishap that strikes", enough).await;
    }

    /// Every request so far, oldest first.
    pub fn passed(&self) -> Vec<Passed> {
        lock(&self.shared.passed).clone()
    }
}

impl Shared {
    fn rules(&self) -> MutexGuard<'_, Rules<Mishap>> {
        lock(&self.rules)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
