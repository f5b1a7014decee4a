//! The connections to backends: one pool for each origin.
//!
//! A request over HTTP/1 drives its connection itself, so that no other task is woken for it. Requests over HTTP/2 share
//! connections, each with a task of its own.

mod body;
mod dial;
mod failure;
mod first_settings;
mod http1;
mod http2;
mod origin;
mod origins;
mod server;
mod transport;
mod trust;

use std::fmt;
use std::sync::Arc;

use http::{Request, Response};

use crate::diagnostics::throttle::Throttle;
use crate::http::upload::Upload;
use crate::proxy::connector::MakeWay;
use crate::proxy::pool::body::Streamed;
use crate::proxy::pool::dial::Dialer;
use crate::proxy::pool::origin::Taken;
use crate::proxy::pool::origins::Origins;

pub(super) use crate::proxy::pool::body::BackendBody;
pub(super) use crate::proxy::pool::failure::Failure;
pub(super) use crate::proxy::pool::http2::Suspect;
pub(super) use crate::proxy::pool::server::Server;

/// The part of the connections that one backend may keep idle, as a divisor: the others need some too.
const IDLE_PART: usize = 8;

/// The number of kept connections that one request may find closed before it opens one of its own.
const MAX_STALE: usize = 3;

/// The pools of connections to backends. They survive a reload.
pub(crate) struct Pool {
    dialer: Arc<Dialer>,
    origins: Arc<Origins>,
    overloads: Throttle,
}

impl Pool {
    /// Creates pools that open at most `connections` connections at a time. While they need more, they close those that are idle;
    /// without such ones they call `make_way`.
    pub(crate) fn new(connections: usize, make_way: MakeWay) -> Self {
        let origins = Arc::new(Origins::new(connections / IDLE_PART));
        let idle = Arc::clone(&origins);
        let make_way = move || {
            if !idle.close_idle() {
                make_way();
            }
        };
        Self {
            dialer: Arc::new(Dialer::new(connections, Arc::new(make_way))),
            origins,
            overloads: Throttle::default(),
        }
    }

    /// Sends one request, whose URI is a path and query, and returns the head of its response. A kept connection that turns
    /// out to be closed before the request was written is replaced, without an error. `suspect` gets the shared connection
    /// that is used. Dropping the future ends the request.
    ///
    /// # Errors
    /// The reason why there is no response, with whether the server may have processed the request.
    pub(super) async fn send(
        &self,
        mut request: Request<Upload>,
        server: &Server<'_>,
        suspect: &Suspect,
    ) -> Result<Response<BackendBody>, Failure> {
        let origin = self.origins.of(server);
        let mut stale = 0;
        loop {
            let may_be_kept = stale < MAX_STALE;
            let kept = if may_be_kept { origin.kept() } else { None };
            let taken = match kept {
                Some(kept) => kept,
                // A connection is rarely opened. The box keeps its state out of that of each request.
                None => Box::pin(origin.open(&self.dialer, server, may_be_kept)).await?,
            };
            let is_kept = taken.is_kept();
            let sent = match taken {
                Taken::Http1(connection) if server.is_upgrade => {
                    Box::pin(connection.upgrade(request)).await.map(|response| response.map(BackendBody::Own))
                }
                Taken::Http1(connection) => match connection.send(request).await {
                    Ok((response, connection)) => {
                        return Ok(response.map(|incoming| BackendBody::http1(incoming, connection, origin)));
                    }
                    Err(unsent) => Err(unsent),
                },
                Taken::Http2(connection, _) => {
                    let sent = Box::pin(connection.send(request, server.base, suspect)).await;
                    sent.map(|(response, stream)| {
                        response.map(|body| BackendBody::Http2(Streamed::new(body, stream)))
                    })
                }
            };
            match sent {
                Ok(response) => return Ok(response),
                Err((Some(unsent), _)) if is_kept && stale < MAX_STALE => request = *unsent,
                Err((_, failure)) => return Err(failure.on(is_kept)),
            }
            stale += 1;
        }
    }

    /// Logs, at most once a second, that a request found no place for a connection to its backend.
    pub(crate) fn log_no_place(&self) {
        if let Some(unlogged) = self.overloads.is_due() {
            tracing::warn!(unlogged, "all connections to backends are in use; a request was answered 503");
        }
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("origins", &self.origins.len()).finish_non_exhaustive()
    }
}
