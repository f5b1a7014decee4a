//! A connection of HTTP/1: driven by the request that uses it.

use std::fmt;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::Response;
use tokio::io::{AsyncRead, ReadBuf};

use crate::proxy::connector::READ_BYTES;
use crate::proxy::outgoing::Outgoing;
use crate::proxy::pool::answer_head::{self, Head};
use crate::proxy::pool::decoder::Decoder;
use crate::proxy::pool::failure::{Broken, Failure};
use crate::proxy::pool::known_lines::KnownLines;
use crate::proxy::pool::output::Output;
use crate::proxy::pool::transport::Transport;

/// The time for the rest of a request whose response is complete. After it the connection is closed.
const FINISH_TIMEOUT: Duration = Duration::from_secs(10);

/// An open connection. Dropping it closes it. It is moved often, and is small therefore.
pub(super) struct Http1(Box<State>);

/// The state of a connection. One that is idle has no buffers, but for a small one of heads, and the lines that it repeats.
struct State {
    io: Transport,
    /// The bytes that were read behind what was decoded.
    input: Bytes,
    output: Output,
    known: KnownLines,
    /// Set if another request may follow the response.
    is_kept_alive: bool,
    /// The number of the sweep since which it is idle; `None` for a new connection.
    idle_since: Option<u32>,
}

/// The place of connections that are ready for another request.
pub(super) trait Home: Send + Sync {
    /// Keeps a connection, or closes it if there are too many.
    fn keep(&self, connection: Http1);
}

impl Http1 {
    pub(super) fn new(io: Transport) -> Self {
        Self(Box::new(State {
            io,
            input: Bytes::new(),
            output: Output::default(),
            known: KnownLines::default(),
            is_kept_alive: false,
            idle_since: None,
        }))
    }

    /// Returns whether the connection has served a request.
    pub(super) fn is_kept(&self) -> bool {
        self.0.idle_since.is_some()
    }

    /// Notes that it is idle since a sweep.
    pub(super) fn note_idle(&mut self, sweep: u32) {
        self.0.idle_since = Some(sweep);
    }

    /// Returns the number of the sweep since which it is idle; `None` for a new connection.
    pub(super) fn idle_since(&self) -> Option<u32> {
        self.0.idle_since
    }

    /// Returns whether the server has closed the connection while it was idle, or sent what no request has asked for.
    pub(super) fn is_closed(&mut self) -> bool {
        self.0.has_input(&mut Context::from_waker(Waker::noop()))
    }

    /// Sends a request, and returns the head of its response with the connection, which has the body. Dropping the future closes
    /// the connection.
    ///
    /// # Errors
    /// The failure, and whether nothing was written because the connection was closed.
    pub(super) async fn send(
        mut self,
        outgoing: &Outgoing<'_>,
    ) -> Result<(Response<Decoder>, Self), Failure> {
        let state = &mut *self.0;
        let (mut is_begun, mut scanned) = (false, 0);
        let exchange = std::future::poll_fn(|cx| {
            if is_begun {
                return state.poll_answer(outgoing, &mut scanned, cx);
            }
            // What is read now belongs to no request, and an end says that the server has closed the connection. The answer
            // wakes this read: it needs no other one.
            if state.has_input(cx) {
                return Poll::Ready(Err(Broken::Closed));
            }
            is_begun = true;
            state.io.socket_mut().begin_request();
            state.output.begin(outgoing, cx)?;
            match state.output.poll(&mut state.io, cx) {
                Poll::Ready(Err(error)) => Poll::Ready(Err(error.into())),
                _ => Poll::Pending,
            }
        });
        match exchange.await {
            Ok(head) => {
                self.0.is_kept_alive = head.is_kept_alive;
                let mut response = Response::new(head.body);
                *response.status_mut() = head.status;
                *response.version_mut() = head.version;
                *response.headers_mut() = head.headers;
                Ok((response, self))
            }
            Err(broken) => Err(Failure::http1(broken, is_begun, self.0.io.socket().is_written())),
        }
    }

    /// Ends the use by a request whose response is complete: keeps the connection for another one, if it is ready for that.
    pub(super) fn finish(mut self, home: Arc<dyn Home>) {
        let state = &mut *self.0;
        // What follows a response belongs to no request.
        if !state.is_kept_alive || !state.input.is_empty() {
            return;
        }
        if !state.output.is_over() {
            return self.finish_later(home);
        }
        if !state.io.socket().takes_no_more() {
            state.input = Bytes::new();
            state.output.shrink();
            home.keep(self);
        }
    }

    /// Sends the rest of a request whose server has answered early.
    fn finish_later(mut self, home: Arc<dyn Home>) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        runtime.spawn(async move {
            let state = &mut *self.0;
            let finished = std::future::poll_fn(|cx| {
                // The end of the connection, or bytes that no request has asked for.
                if state.poll_read(cx).is_ready() {
                    return Poll::Ready(false);
                }
                state.output.poll(&mut state.io, cx).map(|written| written.is_ok())
            });
            if matches!(tokio::time::timeout(FINISH_TIMEOUT, finished).await, Ok(true)) {
                self.finish(home);
            }
        });
    }

    /// Returns the bytes that were read behind what was decoded.
    pub(super) fn input(&mut self) -> &mut Bytes {
        &mut self.0.input
    }

    /// Writes what is possible now of the rest of the request.
    ///
    /// # Errors
    /// The request cannot be written, or its body has failed.
    pub(super) fn write(&mut self, cx: &mut Context<'_>) -> Result<(), Broken> {
        self.0.write(cx)
    }

    /// Reads once, and returns the number of bytes; 0 at the end of the connection.
    pub(super) fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.0.poll_read(cx)
    }

    /// Returns the connection below HTTP, and the bytes that were read behind the head of the response.
    pub(super) fn into_parts(self) -> (Transport, Bytes) {
        (self.0.io, self.0.input)
    }
}

impl State {
    /// Returns whether the server has sent something, or closed the connection, while no request was on it. A task that has used
    /// up its turn is told by tokio that there is nothing to read: a stray response would then answer the next request.
    fn has_input(&mut self, cx: &mut Context<'_>) -> bool {
        let read = std::future::poll_fn(|cx| Poll::Ready(self.poll_read(cx).is_ready()));
        let read = std::pin::pin!(tokio::task::unconstrained(read));
        matches!(read.poll(cx), Poll::Ready(true))
    }

    fn poll_answer(
        &mut self,
        outgoing: &Outgoing<'_>,
        scanned: &mut usize,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Head, Broken>> {
        self.write(cx)?;
        loop {
            match ready!(self.poll_read(cx)) {
                Ok(0) => return Poll::Ready(Err(Broken::Closed)),
                Ok(_) => {}
                Err(error) => return Poll::Ready(Err(Broken::Io(error))),
            }
            if let Some(head) =
                answer_head::read(&mut self.input, outgoing.request.method(), scanned, &mut self.known)?
            {
                return Poll::Ready(Ok(head));
            }
        }
    }

    fn write(&mut self, cx: &mut Context<'_>) -> Result<(), Broken> {
        if self.output.is_over() {
            return Ok(());
        }
        match self.output.poll(&mut self.io, cx) {
            Poll::Ready(Err(error)) => Err(error.into()),
            _ => Ok(()),
        }
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        // On the stack: a connection that waits for its server has no buffer.
        let mut storage = [const { MaybeUninit::uninit() }; READ_BYTES];
        let mut buffer = ReadBuf::uninit(&mut storage);
        ready!(Pin::new(&mut self.io).poll_read(cx, &mut buffer))?;
        let read = buffer.filled();
        if self.input.is_empty() {
            self.input = Bytes::copy_from_slice(read);
        } else {
            let mut longer = BytesMut::from(std::mem::take(&mut self.input));
            longer.extend_from_slice(read);
            self.input = longer.freeze();
        }
        Poll::Ready(Ok(read.len()))
    }
}

impl fmt::Debug for Http1 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http1").field("idle_since", &self.0.idle_since).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt as _;
    use tokio::net::TcpListener;
    use tokio::time::timeout;

    use super::*;
    use crate::proxy::connector::Connector;

    /// A response that no request has asked for, such as the 408 with which servers end an idle connection.
    #[tokio::test]
    async fn a_busy_task_sees_stray_responses() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let uri = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let io = Connector::new(1, Arc::new(|| ())).connect(uri).await.unwrap();
        let mut connection = Http1::new(Transport::Plain(io));
        assert!(!connection.is_closed());
        let (mut server, _) = listener.accept().await.unwrap();
        server.write_all(b"HTTP/1.1 408 Request Timeout\r\n\r\n").await.unwrap();
        let seen = std::future::poll_fn(|cx| {
            // The task uses up its turn.
            while std::pin::pin!(tokio::task::coop::consume_budget()).poll(cx).is_ready() {}
            if connection.is_closed() { Poll::Ready(()) } else { Poll::Pending }
        });
        timeout(Duration::from_secs(10), seen).await.expect("it is seen");
    }
}
