//! The dispatch of requests to the probe, the management API or the proxy.

use std::net::SocketAddr;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use tokio::sync::SetOnce;

use crate::gateway::client::client;
use crate::gateway::proof;
use crate::http::body::Body;
use crate::http::connection_info::ConnectionInfo;
use crate::http::respond::problem_of;
use crate::http::upload::Upload;
use crate::management::Management;
use crate::metrics::{Origin, Reason, Record, Traffic};
use crate::proxy::{MakeWay, Proxy, Refused};
use crate::server::{Probe, Service};
use crate::snapshot::{ListenerSpec, Snapshot};

/// The service of every listener of the built-in gateway.
#[derive(Debug)]
pub(super) struct Dispatch {
    /// The live snapshot; `None` before the first activation.
    pub(super) serving: ArcSwapOption<Snapshot>,
    pub(super) probe: Probe,
    proxy: Proxy,
    /// The management API, set once the host has started. Earlier requests for it wait until then.
    pub(super) management: SetOnce<Management>,
    /// The counters of its requests and connections.
    pub(super) traffic: Arc<Traffic>,
}

impl Dispatch {
    /// Creates the service of listeners with at most `connections` connections. It opens as many to backends, and calls
    /// `make_way` while it needs more.
    pub(super) fn new(connections: usize, make_way: MakeWay, traffic: Traffic) -> Self {
        Self {
            serving: ArcSwapOption::empty(),
            probe: Probe::new(),
            proxy: Proxy::new(connections, make_way),
            management: SetOnce::new(),
            traffic: Arc::new(traffic),
        }
    }

    /// Answers a request. The whole request uses one snapshot, also if another becomes live meanwhile.
    async fn answer(
        &self,
        snapshot: &Snapshot,
        connection: &ConnectionInfo,
        request: &mut Request<Upload>,
        record: &mut Record,
    ) -> Response<Body> {
        if *request.method() == Method::OPTIONS
            && let Some(answer) = self.probe.answer(snapshot, connection, request)
        {
            record.probe();
            return answer;
        }
        let network = snapshot.network_of(connection);
        record.come_from(|| origin(snapshot, connection, request.headers()));
        if Management::claims(snapshot, network, request.uri().path()) {
            // The box keeps the state out of that of each request.
            return Box::pin(self.manage(snapshot, connection, std::mem::take(request), record)).await;
        }
        self.proxy.serve(snapshot, connection, request, (&self.traffic, record)).await
    }

    /// Answers a request for the management API.
    async fn manage(
        &self,
        snapshot: &Snapshot,
        connection: &ConnectionInfo,
        request: Request<Upload>,
        record: &mut Record,
    ) -> Response<Body> {
        record.management();
        let path = request.uri().path().to_owned();
        let management = match self.management.get() {
            Some(management) => management,
            None => match Management::starting(snapshot, &path) {
                Some(starting) => return starting.map(Body::from),
                None => self.management.wait().await,
            },
        };
        let proof = proof::answer(snapshot, connection.peer.ip(), request.headers());
        let mut response = management.handle(connection.peer, request).await.map(Body::from);
        if let Some(proof) = proof {
            response.headers_mut().insert(proof::NAME, proof);
        }
        if let Some(reason) = management_refusal(response.status()) {
            let network = snapshot.network_of(connection);
            let refused = Refused { reason, network, path: &path, cause: None };
            refused.note(None, &self.traffic, record);
        }
        response
    }
}

impl Service for Dispatch {
    fn spec(&self, listener: SocketAddr) -> Option<ListenerSpec> {
        self.serving.load().as_ref()?.listeners.get(&listener).cloned()
    }

    fn traffic(&self) -> &Traffic {
        &self.traffic
    }

    async fn serve(
        &self,
        connection: &ConnectionInfo,
        request: &mut Request<Upload>,
        record: &mut Record,
    ) -> Response<Body> {
        match self.serving.load_full() {
            Some(snapshot) => self.answer(&snapshot, connection, request, record).await,
            None => {
                let refused = Refused {
                    reason: Reason::Starting,
                    network: &connection.network,
                    path: request.uri().path(),
                    cause: None,
                };
                refused.note(None, &self.traffic, record);
                let id = record.identity().request_id();
                let message = "the gateway is starting";
                problem_of(StatusCode::SERVICE_UNAVAILABLE, "starting", message, id).map(Body::from)
            }
        }
    }
}

/// Returns the origin of a request.
fn origin(snapshot: &Snapshot, connection: &ConnectionInfo, headers: &HeaderMap) -> Origin {
    let proxies = &snapshot.config.proxy.trusted_proxies;
    Origin {
        client: client(connection.peer.ip(), headers, |address| proxies.contains(address)),
        network: Arc::from(snapshot.network_of(connection)),
        scheme: connection.scheme.as_str(),
        generation: snapshot.generation(),
    }
}

/// Returns the reason of a response of the management API that is an error.
fn management_refusal(status: StatusCode) -> Option<Reason> {
    match status {
        StatusCode::UNAUTHORIZED => Some(Reason::ManagementUnauthorized),
        StatusCode::FORBIDDEN => Some(Reason::ManagementForbidden),
        status if status.is_client_error() => Some(Reason::ManagementRejected),
        status if status.is_server_error() => Some(Reason::ManagementFailed),
        _ => None,
    }
}
