//! Serving a request: checked, admitted, answered or sent on.

use http::{Method, Request, Response};
use hyper::body::Incoming;

use crate::http::authority::authority;
use crate::http::body::Body;
use crate::http::connection_info::ConnectionInfo;
use crate::plan::Upstream;
use crate::proxy::backend_client::BackendClient;
use crate::proxy::error::{self, ProxyError};
use crate::proxy::exchange::Exchange;
use crate::proxy::{echo, forward, headers};
use crate::snapshot::{RequestHead, Snapshot};

/// The data plane. It outlives snapshots, and so do its connections to backends.
#[derive(Debug)]
pub(crate) struct Proxy {
    client: BackendClient,
}

impl Proxy {
    pub(crate) fn new() -> Self {
        Self { client: BackendClient::new() }
    }

    /// Answers a request that came in on `connection`, from `snapshot` alone.
    pub(crate) async fn serve(
        &self,
        snapshot: &Snapshot,
        connection: &ConnectionInfo,
        request: Request<Incoming>,
    ) -> Response<Body> {
        match self.exchange(snapshot, connection, request).await {
            Ok(response) => response,
            Err(refused) => {
                tracing::debug!(?refused, network = &*connection.network, "request refused");
                error::respond(&refused)
            }
        }
    }

    async fn exchange(
        &self,
        snapshot: &Snapshot,
        connection: &ConnectionInfo,
        mut request: Request<Incoming>,
    ) -> Result<Response<Body>, ProxyError> {
        check(&request)?;
        let authority = authority(request.uri(), request.headers()).map_err(ProxyError::BadRequest)?;
        let head = RequestHead {
            network: snapshot.network_of(connection),
            scheme: connection.scheme,
            authority: &authority,
            path: request.uri().path(),
            headers: request.headers(),
        };
        let admitted = snapshot.admit(&head).await?;
        if admitted.mesh().is_some() {
            // The token was meant for this gateway; the backend has no business with it.
            request.headers_mut().remove(http::header::AUTHORIZATION);
        }
        let upstream = &admitted.route.pipeline.upstream;
        let exchange = Exchange { snapshot, connection, authority, admitted };
        match upstream {
            Upstream::Echo => echo::answer(&exchange, request).await,
            Upstream::Http(upstream) => forward::forward(&self.client, upstream, &exchange, request).await,
            Upstream::Application | Upstream::None => {
                Err(ProxyError::NotImplemented("a backend for this pipeline".to_owned()))
            }
        }
    }
}

/// Refuses what a gateway does not forward, whatever its route.
fn check(request: &Request<Incoming>) -> Result<(), ProxyError> {
    if matches!(*request.method(), Method::CONNECT | Method::TRACE) {
        return Err(ProxyError::MethodNotAllowed);
    }
    if request.uri().path() == "*" {
        return Err(ProxyError::BadRequest("a request for the server as a whole is not forwarded"));
    }
    // A coding that is taken off the headers and left on the body would make it something else.
    if !headers::is_plainly_framed(request.headers()) {
        return Err(ProxyError::NotImplemented("transfer codings other than chunked".to_owned()));
    }
    if headers::is_loop(request.headers()) {
        return Err(ProxyError::Loop);
    }
    Ok(())
}
