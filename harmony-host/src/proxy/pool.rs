//! The connections to backends: one pool for each origin.
//!
//! A request over HTTP/1 drives its connection itself, so that no other task is woken for it. Requests over HTTP/2 share
//! connections, each with a task of its own.

mod answer_head;
mod body;
mod chunks;
#[cfg(any(test, feature = "fuzzing"))]
mod compared;
mod decoded;
mod decoder;
mod dial;
mod failure;
mod first_settings;
mod http1;
mod http2;
mod invalid_lines;
mod known_lines;
mod origin;
mod origins;
mod output;
mod server;
mod switched;
#[cfg(test)]
mod tests;
mod transport;
mod trust;

use std::fmt;
use std::sync::Arc;

use http::{Response, StatusCode};

use crate::diagnostics::throttle::Throttle;
use crate::proxy::connector::MakeWay;
use crate::proxy::outgoing::Outgoing;
use crate::proxy::pool::body::Streamed;
use crate::proxy::pool::dial::Dialer;
use crate::proxy::pool::origin::Taken;
use crate::proxy::pool::origins::Origins;

pub(super) use crate::proxy::pool::body::BackendBody;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use crate::proxy::pool::compared::check;
pub(super) use crate::proxy::pool::failure::Failure;
pub(super) use crate::proxy::pool::http2::Suspect;
pub(super) use crate::proxy::pool::server::Server;
pub(super) use crate::proxy::pool::switched::Switched;

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

    /// Sends one request and returns the head of its response. A kept connection that turns out to be closed before the request
    /// was begun is replaced, without an error. `suspect` gets the shared connection that is used. Dropping the future ends the
    /// request.
    ///
    /// # Errors
    /// The reason why there is no response, with whether the server may have processed the request.
    pub(super) async fn send(
        &self,
        outgoing: &Outgoing<'_>,
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
                Taken::Http1(connection) => connection.send(outgoing).await.map(|(response, connection)| {
                    let is_switched = response.status() == StatusCode::SWITCHING_PROTOCOLS;
                    response.map(|decoder| match is_switched {
                        true => BackendBody::Switched(Switched::new(connection)),
                        false => BackendBody::http1(decoder, connection, origin.clone()),
                    })
                }),
                Taken::Http2(connection, _) => {
                    let sent = Box::pin(connection.send(outgoing.to_request(), suspect)).await;
                    sent.map(|(response, stream)| {
                        response.map(|body| BackendBody::Http2(Streamed::new(body, stream)))
                    })
                }
            };
            match sent {
                Err(failure) if failure.is_unsent() && is_kept && stale < MAX_STALE => stale += 1,
                sent => return sent.map_err(|failure| failure.on(is_kept)),
            }
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
