//! A connection of HTTP/1: driven by the request that uses it.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::http1::{Builder, Connection, SendRequest};

use crate::http::limits::MAX_HEADERS;
use crate::http::upload::Upload;
use crate::proxy::connector::Written;
use crate::proxy::pool::failure::{Failure, Unsent};
use crate::proxy::pool::transport::{Plain, Secure};

/// The time for the rest of a request whose response is complete. After it the connection is closed.
const FINISH_TIMEOUT: Duration = Duration::from_secs(10);

/// An open connection. Dropping it closes it.
pub(super) struct Http1 {
    sender: SendRequest<Upload>,
    io: Io,
    written: Arc<Written>,
    /// The number of the sweep since which it is idle; `None` for a new connection.
    idle_since: Option<u32>,
}

/// The place of connections that are ready for another request.
pub(super) trait Home: Send + Sync {
    /// Keeps a connection, or closes it if there are too many.
    fn keep(&self, connection: Http1);
}

enum Io {
    Plain(Box<Connection<Plain, Upload>>),
    Secure(Box<Connection<Secure, Upload>>),
    /// The connection has ended.
    Closed,
}

impl Http1 {
    /// Creates a connection without TLS.
    ///
    /// # Errors
    /// The error of the connection.
    pub(super) async fn plain(io: Plain, written: Arc<Written>) -> Result<Self, Failure> {
        let (sender, connection) = builder().handshake(io).await.map_err(|error| Failure::of(error, true))?;
        Ok(Self { sender, io: Io::Plain(Box::new(connection)), written, idle_since: None })
    }

    /// Creates a connection with TLS.
    ///
    /// # Errors
    /// The error of the connection.
    pub(super) async fn secure(io: Secure, written: Arc<Written>) -> Result<Self, Failure> {
        let (sender, connection) = builder().handshake(io).await.map_err(|error| Failure::of(error, true))?;
        Ok(Self { sender, io: Io::Secure(Box::new(connection)), written, idle_since: None })
    }

    /// Returns whether the connection has served a request.
    pub(super) fn is_kept(&self) -> bool {
        self.idle_since.is_some()
    }

    /// Notes that it is idle since a sweep.
    pub(super) fn note_idle(&mut self, sweep: u32) {
        self.idle_since = Some(sweep);
    }

    /// Returns the number of the sweep since which it is idle; `None` for a new connection.
    pub(super) fn idle_since(&self) -> Option<u32> {
        self.idle_since
    }

    /// Returns whether the server has closed the connection while it was idle.
    pub(super) fn is_closed(&mut self) -> bool {
        self.drive(&mut Context::from_waker(Waker::noop()));
        matches!(self.io, Io::Closed)
    }

    /// Reads and writes what is possible now.
    pub(super) fn drive(&mut self, cx: &mut Context<'_>) {
        let ended = match &mut self.io {
            Io::Plain(connection) => Pin::new(connection).poll(cx).is_ready(),
            Io::Secure(connection) => Pin::new(connection).poll(cx).is_ready(),
            Io::Closed => return,
        };
        if ended {
            // The error is that of the request. What still waits for the connection learns that it is over.
            self.io = Io::Closed;
        }
    }

    /// Sends a request, and returns the head of its response with the connection, which drives the body. Dropping the future
    /// closes the connection.
    ///
    /// # Errors
    /// The request, if it was not written at all, and the failure.
    pub(super) async fn send(
        mut self,
        request: Request<Upload>,
    ) -> Result<(Response<Incoming>, Self), Unsent> {
        self.written.reset();
        let mut sending = std::pin::pin!(self.sender.try_send_request(request));
        let sent = std::future::poll_fn(|cx| {
            self.drive(cx);
            sending.as_mut().poll(cx)
        });
        match sent.await {
            Ok(response) => Ok((response, self)),
            Err(mut error) => {
                let unsent = error.take_message().map(Box::new);
                let is_unsent = unsent.is_some() || !self.written.is_set();
                Err((unsent, Failure::of(error.into_error(), is_unsent)))
            }
        }
    }

    /// Sends a request to switch to another protocol. The connection is not used again.
    ///
    /// # Errors
    /// The request, if it was not written at all, and the failure.
    pub(super) async fn upgrade(mut self, request: Request<Upload>) -> Result<Response<Incoming>, Unsent> {
        let sending = self.sender.try_send_request(request);
        match self.io {
            Io::Plain(connection) => drop(tokio::spawn(connection.with_upgrades())),
            Io::Secure(connection) => drop(tokio::spawn(connection.with_upgrades())),
            Io::Closed => {}
        }
        match sending.await {
            Ok(response) => Ok(response),
            Err(mut error) => {
                let unsent = error.take_message().map(Box::new);
                let is_unsent = unsent.is_some();
                Err((unsent, Failure::of(error.into_error(), is_unsent)))
            }
        }
    }

    /// Ends the use by a request whose response is complete: keeps the connection for another one, if it is ready for that.
    pub(super) fn finish(mut self, home: &Arc<dyn Home>, cx: &mut Context<'_>) {
        if !self.sender.is_ready() {
            self.drive(cx);
        }
        if self.sender.is_ready() {
            home.keep(self);
        } else if !matches!(self.io, Io::Closed) && !self.sender.is_closed() {
            // A part of the request is not sent yet.
            self.finish_later(Arc::clone(home));
        }
    }

    fn finish_later(mut self, home: Arc<dyn Home>) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        runtime.spawn(async move {
            let finished = std::future::poll_fn(|cx| {
                self.drive(cx);
                let is_over = matches!(self.io, Io::Closed) || self.sender.is_ready();
                if is_over { Poll::Ready(()) } else { Poll::Pending }
            });
            if tokio::time::timeout(FINISH_TIMEOUT, finished).await.is_ok() && self.sender.is_ready() {
                home.keep(self);
            }
        });
    }
}

/// Creates the settings of connections. What a proxy may repair in a response is repaired (RFC 9112, section 5);
/// [`Watched`](crate::proxy::answer_head::Watched) ends the connection where a line about the framing would be left out.
fn builder() -> Builder {
    let mut builder = Builder::new();
    builder
        .max_headers(MAX_HEADERS)
        .allow_obsolete_multiline_headers_in_responses(true)
        .allow_spaces_after_header_name_in_responses(true)
        .ignore_invalid_headers_in_responses(true);
    builder
}

impl fmt::Debug for Http1 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http1").field("idle_since", &self.idle_since).finish_non_exhaustive()
    }
}
