//! The connector for backends: at most as many connections as the process has descriptors for, and small reads.

use std::error::Error as StdError;
use std::fmt;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_util::client::legacy::connect::HttpConnector;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tower_service::Service;

use crate::http::gather::poll_write_gathered;
use crate::http::stall::Stall;
use crate::proxy::resolver::Resolver;

/// The deadline for connecting to a backend.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The wait for a place, if all connections are in use.
const PLACE_TIMEOUT: Duration = Duration::from_secs(5);

/// The interval in which slow exchanges are asked to give way meanwhile.
const ASK_INTERVAL: Duration = Duration::from_millis(100);

/// The maximum size of one read. A client that does not read its response holds two of them: hyper reads one ahead.
pub(super) const READ_BYTES: usize = 8 * 1024;

/// A function that asks the slowest exchange to give way, so that its connection to a backend becomes free.
pub(crate) type MakeWay = Arc<dyn Fn() + Send + Sync>;

/// A TCP connector with a limit on the number of open connections. Clones share the limit.
#[derive(Clone)]
pub(super) struct Connector {
    http: HttpConnector<Resolver>,
    places: Arc<Semaphore>,
    make_way: MakeWay,
}

impl Connector {
    /// Creates a connector for at most `connections` open connections. It calls `make_way` while a request waits for one.
    pub(super) fn new(connections: usize, make_way: MakeWay) -> Self {
        let mut http = HttpConnector::new_with_resolver(Resolver::new());
        http.set_nodelay(true);
        http.set_connect_timeout(Some(CONNECT_TIMEOUT));
        // TLS is above this connector.
        http.enforce_http(false);
        Self { http, places: Arc::new(Semaphore::new(connections)), make_way }
    }
}

impl Connector {
    /// Opens a connection to the server of `uri`.
    ///
    /// # Errors
    /// [`NoPlace`], or the reason why the server cannot be reached.
    pub(super) async fn connect(&self, uri: Uri) -> Result<BackendStream, Box<dyn StdError + Send + Sync>> {
        let place = self.place().await?;
        let io = self.http.clone().call(uri).await?.into_inner();
        Ok(BackendStream {
            io,
            stall: Stall::default(),
            is_written: false,
            takes_no_more: false,
            _place: place,
        })
    }

    /// Waits for a place, at most for [`PLACE_TIMEOUT`].
    async fn place(&self) -> Result<OwnedSemaphorePermit, NoPlace> {
        let acquiring = timeout(PLACE_TIMEOUT, Arc::clone(&self.places).acquire_owned());
        let mut acquiring = std::pin::pin!(acquiring);
        let mut wait = Duration::ZERO;
        loop {
            if let Ok(acquired) = timeout(wait, &mut acquiring).await {
                return acquired.ok().and_then(Result::ok).ok_or(NoPlace);
            }
            (self.make_way)();
            wait = ASK_INTERVAL;
        }
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector").field("places", &self.places).finish_non_exhaustive()
    }
}

/// The error of a connection that got no place.
#[derive(Debug)]
pub(super) struct NoPlace;

impl NoPlace {
    /// Returns whether this is the cause of `error`.
    pub(super) fn caused(error: &(dyn StdError + 'static)) -> bool {
        std::iter::successors(Some(error), |error| (*error).source()).any(|error| error.is::<Self>())
    }
}

impl fmt::Display for NoPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("all connections to backends are in use")
    }
}

impl StdError for NoPlace {}

/// A connection to a backend.
///
/// A backend may answer and close before it has read the whole request, with a 401 or a 413. The rest of the request is then
/// dropped, and the answer is read: an error of the write would hide it.
#[derive(Debug)]
pub(super) struct BackendStream {
    io: TcpStream,
    stall: Stall,
    /// Set when the operating system has taken a byte of the request.
    is_written: bool,
    /// Set when the backend has closed the connection for what is written.
    takes_no_more: bool,
    _place: OwnedSemaphorePermit,
}

impl BackendStream {
    /// Notes that a new request begins.
    pub(super) fn begin_request(&mut self) {
        self.is_written = false;
    }

    /// Returns whether the operating system has taken a byte of the request.
    pub(super) fn is_written(&self) -> bool {
        self.is_written
    }

    /// Returns whether a part of the request was dropped, since the backend has closed the connection for it.
    pub(super) fn takes_no_more(&self) -> bool {
        self.takes_no_more
    }

    /// Returns the result of a write of `count` bytes.
    fn note(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
        count: usize,
    ) -> Poll<io::Result<usize>> {
        match written {
            Poll::Ready(Err(error))
                if matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset) =>
            {
                self.takes_no_more = true;
                Poll::Ready(Ok(count))
            }
            written => {
                if matches!(written, Poll::Ready(Ok(count)) if count > 0) {
                    self.is_written = true;
                }
                self.stall.check(cx, written)
            }
        }
    }
}

impl AsyncRead for BackendStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if buffer.remaining() <= READ_BYTES {
            return Pin::new(&mut self.io).poll_read(cx, buffer);
        }
        let mut part = ReadBuf::new(buffer.initialize_unfilled_to(READ_BYTES));
        let read = Pin::new(&mut self.io).poll_read(cx, &mut part);
        let count = part.filled().len();
        buffer.advance(count);
        read
    }
}

impl AsyncWrite for BackendStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.takes_no_more {
            return Poll::Ready(Ok(bytes.len()));
        }
        let written = Pin::new(&mut self.io).poll_write(cx, bytes);
        self.note(cx, written, bytes.len())
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let count = slices.iter().map(|slice| slice.len()).sum();
        if self.takes_no_more {
            return Poll::Ready(Ok(count));
        }
        let written = poll_write_gathered(&mut self.io, cx, slices);
        self.note(cx, written, count)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn a_connection_waits_for_a_place() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let uri: Uri = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let connector = Connector::new(1, Arc::new(|| ()));
        let first = connector.connect(uri.clone()).await.unwrap();
        let second = tokio::spawn(async move { connector.connect(uri).await });
        listener.accept().await.unwrap();
        let early = timeout(Duration::from_millis(50), listener.accept()).await;
        assert!(early.is_err(), "there is one place");
        drop(first);
        second.await.unwrap().unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn no_place_is_an_error_of_its_own() {
        let uri: Uri = "http://127.0.0.1:1".parse().unwrap();
        let error = Connector::new(0, Arc::new(|| ())).connect(uri).await.err().unwrap();
        assert!(NoPlace::caused(&*error));
        assert!(!NoPlace::caused(&io::Error::other("another")));
    }
}
