//! The trait [`Service`], which handles the requests of listeners.

use std::net::SocketAddr;

use http::{Request, Response};

use crate::http::body::Body;
use crate::http::connection_info::ConnectionInfo;
use crate::http::upload::Upload;
use crate::metrics::{Record, Traffic};
use crate::snapshot::ListenerSpec;

/// The handler of all requests. It is all that listeners know of the gateway behind them.
pub(crate) trait Service: Send + Sync + 'static {
    /// Returns the current settings of `listener`; `None` if the published snapshot does not have it.
    fn spec(&self, listener: SocketAddr) -> Option<ListenerSpec>;

    /// Returns the counters of the gateway.
    fn traffic(&self) -> &Traffic;

    /// Serves one request, and may leave an empty one in its place. Notes in the record what happens.
    fn serve(
        &self,
        connection: &ConnectionInfo,
        request: &mut Request<Upload>,
        record: &mut Record,
    ) -> impl Future<Output = Response<Body>> + Send;
}
