//! The dispatch of requests to the probe, the management API or the proxy.

use std::net::SocketAddr;

use arc_swap::ArcSwapOption;
use http::{Method, Request, Response, StatusCode};
use tokio::sync::SetOnce;

use crate::gateway::proof;
use crate::http::body::Body;
use crate::http::connection_info::ConnectionInfo;
use crate::http::respond::problem;
use crate::http::upload::Upload;
use crate::management::Management;
use crate::proxy::{MakeWay, Proxy};
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
}

impl Dispatch {
    /// Creates the service of listeners with at most `connections` connections. It opens as many to backends, and calls
    /// `make_way` while it needs more.
    pub(super) fn new(connections: usize, make_way: MakeWay) -> Self {
        Self {
            serving: ArcSwapOption::empty(),
            probe: Probe::new(),
            proxy: Proxy::new(connections, make_way),
            management: SetOnce::new(),
        }
    }

    /// Answers a request. The whole request uses one snapshot, also if another becomes live meanwhile.
    async fn answer(
        &self,
        snapshot: &Snapshot,
        connection: &ConnectionInfo,
        request: &mut Request<Upload>,
    ) -> Response<Body> {
        if *request.method() == Method::OPTIONS
            && let Some(answer) = self.probe.answer(snapshot, connection, request)
        {
            return answer;
        }
        let network = snapshot.network_of(connection);
        if Management::claims(snapshot, network, request.uri().path()) {
            // The box keeps the state out of that of each request.
            return Box::pin(self.manage(snapshot, connection, std::mem::take(request))).await;
        }
        self.proxy.serve(snapshot, connection, request).await
    }

    /// Answers a request for the management API.
    async fn manage(
        &self,
        snapshot: &Snapshot,
        connection: &ConnectionInfo,
        request: Request<Upload>,
    ) -> Response<Body> {
        let management = self.management.wait().await;
        let proof = proof::answer(snapshot, connection.peer.ip(), request.headers());
        let mut response = management.handle(connection.peer, request).await.map(Body::from);
        if let Some(proof) = proof {
            response.headers_mut().insert(proof::NAME, proof);
        }
        response
    }
}

impl Service for Dispatch {
    fn spec(&self, listener: SocketAddr) -> Option<ListenerSpec> {
        self.serving.load().as_ref()?.listeners.get(&listener).cloned()
    }

    async fn serve(&self, connection: &ConnectionInfo, request: &mut Request<Upload>) -> Response<Body> {
        match self.serving.load_full() {
            Some(snapshot) => self.answer(&snapshot, connection, request).await,
            None => {
                let message = "the gateway is starting";
                problem(StatusCode::SERVICE_UNAVAILABLE, "starting", message).map(Body::from)
            }
        }
    }
}
