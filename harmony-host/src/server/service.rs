//! The service that listeners hand requests to.

use std::net::SocketAddr;

use http::{Request, Response};
use hyper::body::Incoming;

use crate::http::body::Body;
use crate::http::connection_info::ConnectionInfo;
use crate::snapshot::ListenerSpec;

/// Answers the requests of every connection. Listeners know nothing else of what they serve.
pub(crate) trait Service: Send + Sync + 'static {
    /// Returns how connections to `listener` are served now; `None` when no configuration has it any more.
    fn spec(&self, listener: SocketAddr) -> Option<ListenerSpec>;

    /// Answers one request.
    fn serve(
        &self,
        connection: &ConnectionInfo,
        request: Request<Incoming>,
    ) -> impl Future<Output = Response<Body>> + Send;
}
