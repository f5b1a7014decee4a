//! The built-in gateway as the [`Activation`] of a host.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use provider_api::RejectionClass;
use tokio::sync::Mutex;

use crate::apply::{Activation, Prepared};
use crate::config::Capabilities;
use crate::diagnostics::problem::Problems;
use crate::diagnostics::rejection::Rejection;
use crate::gateway::dispatch::Dispatch;
use crate::host::Host;
use crate::management::Management;
use crate::metrics::Traffic;
use crate::server::{BindError, Bound, Listeners, descriptors};
use crate::snapshot::Snapshot;
use crate::storage::failpoints::kill;

/// The built-in gateway: an [`Activation`] that listens on the networks of the configuration, proxies HTTP and answers
/// the management API.
///
/// A cheap handle: clones are the same gateway. An application may wrap it and take part in verdicts too.
#[derive(Clone, Debug)]
pub struct Gateway {
    dispatch: Arc<Dispatch>,
    listeners: Arc<Mutex<Listeners>>,
}

impl Gateway {
    /// Creates a gateway without listeners.
    pub fn new() -> Self {
        Self::observed(Traffic::new(true, None))
    }

    /// Creates a gateway without listeners that counts and logs its requests in `traffic`.
    pub(crate) fn observed(traffic: Traffic) -> Self {
        let connections = descriptors::connections();
        let listeners = Listeners::new(connections);
        let dispatch = Dispatch::new(connections, Arc::new(listeners.make_way()), traffic);
        Self { dispatch: Arc::new(dispatch), listeners: Arc::new(Mutex::new(listeners)) }
    }

    /// Mounts the management API of `host` on the network that `[management]` names. Requests for it wait until it is
    /// mounted. Later calls do nothing.
    pub fn mount(&self, host: &Host) {
        let traffic = Arc::clone(&self.dispatch.traffic);
        let _ = self.dispatch.management.set(Management::new(host).with_traffic(traffic));
    }

    /// Returns the addresses of the listeners.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        let serving = self.dispatch.serving.load();
        serving.as_ref().map(|serving| serving.listeners.keys().copied().collect()).unwrap_or_default()
    }

    /// Returns the number of requests in flight, those for the management API included.
    pub(crate) async fn requests_in_flight(&self) -> usize {
        self.listeners.lock().await.requests()
    }

    /// Closes the listeners and waits for the requests in flight, at most for `limit`; then it cuts their connections.
    /// A connection without requests in flight is closed within 1 s. Returns whether all requests finished.
    pub async fn shut_down(&self, limit: Duration) -> bool {
        self.drain(limit, std::future::pending()).await == 0
    }

    /// Shuts down as [`shut_down`](Self::shut_down) does, and cuts the connections also when `hurry` is ready. Returns the
    /// number of requests that did not finish.
    pub(super) async fn drain(&self, limit: Duration, hurry: impl Future<Output = ()>) -> usize {
        let closing = self.listeners.lock().await.close();
        closing.finish(limit, hurry).await
    }
}

impl Default for Gateway {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Activation for Gateway {
    fn capabilities(&self) -> Capabilities {
        Capabilities::new()
            .with_endpoint("http")
            .with_endpoint("echo")
            .with_backend("http")
            .with_backend("echo")
    }

    /// Binds the new addresses. Open listeners are not changed.
    async fn prepare(
        &self,
        candidate: &Arc<Snapshot>,
        serving: Option<&Arc<Snapshot>>,
    ) -> Result<Box<dyn Prepared>, Rejection> {
        let bound = self.listeners.lock().await.prepare(&candidate.listeners);
        let bound = bound.map_err(|errors| bind_rejection(candidate, errors))?;
        Ok(Box::new(PreparedGateway {
            gateway: self.clone(),
            candidate: Arc::clone(candidate),
            serving: serving.cloned(),
            bound: Some(bound),
        }))
    }
}

/// A candidate whose addresses are bound. Dropping it before it is activated closes them.
struct PreparedGateway {
    gateway: Gateway,
    candidate: Arc<Snapshot>,
    serving: Option<Arc<Snapshot>>,
    bound: Option<Bound>,
}

#[async_trait]
impl Prepared for PreparedGateway {
    /// Answers requests from the candidate, opens its listeners, and probes them. Listeners that the candidate does not
    /// have stay open until the commit, so that a rollback does not have to bind them again.
    async fn activate(&mut self) -> Result<(), Rejection> {
        let Gateway { dispatch, listeners } = &self.gateway;
        dispatch.serving.store(Some(Arc::clone(&self.candidate)));
        if let Some(bound) = self.bound.take() {
            listeners.lock().await.open(bound, dispatch);
        }
        // The crash tests count replacements of a configuration, not the start.
        let replaces = self.serving.is_some();
        if replaces {
            kill("published");
        }
        let checked = dispatch.probe.check(&self.candidate, self.serving.as_ref()).await;
        if replaces {
            kill("looked");
        }
        checked.map_err(|message| Rejection::of(RejectionClass::Probe, "listeners", message))
    }

    async fn commit(self: Box<Self>) {
        let Gateway { dispatch, listeners } = &self.gateway;
        listeners.lock().await.retire(&self.candidate.listeners).await;
        dispatch.traffic.keep_listeners(|address| self.candidate.listeners.contains_key(address));
    }

    async fn rollback(self: Box<Self>) {
        // Prepared but not activated: nothing has changed yet, and dropping `self` closes the new addresses.
        if self.bound.is_some() {
            return;
        }
        let Gateway { dispatch, listeners } = &self.gateway;
        dispatch.serving.store(self.serving.clone());
        let mut listeners = listeners.lock().await;
        match &self.serving {
            Some(serving) => listeners.retire(&serving.listeners).await,
            None => drop(listeners.close()),
        }
    }
}

/// Returns the rejection for addresses that cannot be bound, with the lines that configure them.
fn bind_rejection(candidate: &Snapshot, errors: Vec<BindError>) -> Rejection {
    let mut problems = Problems::default();
    for error in errors {
        let networks = &candidate.config.networks;
        let network = networks.iter().find(|network| *network.name == *error.network);
        let place = network.and_then(|n| n.listen.as_ref()).map(|listen| &listen.address.place);
        problems.error(place, format!("network.{}", error.network), error.to_string()).help(error.remedy());
    }
    Rejection::new(RejectionClass::Bind, problems)
}
