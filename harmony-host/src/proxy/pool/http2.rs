//! A connection of HTTP/2, which many requests share.

use std::fmt;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::time::Instant;

use crate::http::limits::MAX_HEADER_LIST_BYTES;
use crate::http::upload::Upload;
use crate::proxy::pool::failure::Failure;
use crate::proxy::pool::transport::Shared;

/// The most requests at a time on one connection, if the server permits as many.
const MAX_STREAMS: usize = 100;

/// The number of streams that hyper takes before the settings of the server have come. None are sent before, so the number only
/// tells that hyper has not applied them yet.
const NOT_TOLD: usize = usize::MAX - 1;

/// The windows: the bytes of a response that the server may send before they were read. That of the connection is enough for
/// all streams, so that those whose clients do not read stop no others.
const STREAM_WINDOW_BYTES: u32 = 64 * 1024;
const CONNECTION_WINDOW_BYTES: u32 = STREAM_WINDOW_BYTES * MAX_STREAMS as u32;

/// The interval of pings while requests wait, and the time for their answers: a connection that is dead without a word ends
/// within both together.
const PING_INTERVAL: Duration = Duration::from_secs(5);
const PING_TIMEOUT: Duration = Duration::from_secs(5);

/// The time between two resets of requests whose clients went away. Servers end a connection with many of them, to which
/// they are an attack, and all other requests with it.
const RESET_INTERVAL: Duration = Duration::from_millis(100);

/// The number of waiting resets from which on a connection takes no further requests.
const MAX_RESETS: usize = 32;

/// An open connection. It ends when it is dropped, after the last of its requests.
pub(super) struct Http2 {
    sender: SendRequest<Upload>,
    state: Arc<State>,
}

/// The state of a connection, shared by its task and its requests.
#[derive(Debug)]
struct State {
    streams: AtomicUsize,
    /// The number of streams that the server permits.
    max: AtomicUsize,
    /// Set when no further request must use the connection.
    is_retired: AtomicBool,
    /// The number of resets that wait.
    resets: AtomicUsize,
    /// Held by the next reset until the one after it may follow.
    reset_turn: tokio::sync::Mutex<()>,
    /// The end of the last request.
    used_at: Mutex<Instant>,
}

/// The shared connection of a request that waits. If nothing comes in time, no further request uses it.
#[derive(Debug, Default)]
pub(in crate::proxy) struct Suspect(Mutex<Weak<State>>);

impl Suspect {
    /// Takes the connection out of use: a request got no response in time.
    pub(in crate::proxy) fn retire(&self) {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner).upgrade();
        if let Some(state) = state {
            state.is_retired.store(true, Ordering::Relaxed);
        }
    }
}

impl Http2 {
    /// Creates a connection, and the task that drives it. It takes no request before [`permit`](Self::permit).
    ///
    /// # Errors
    /// The error of the connection.
    pub(super) async fn new(io: Shared) -> Result<Self, Failure> {
        let mut builder = Builder::new(TokioExecutor::new());
        builder
            .timer(TokioTimer::new())
            .initial_stream_window_size(STREAM_WINDOW_BYTES)
            .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
            .max_header_list_size(MAX_HEADER_LIST_BYTES)
            .initial_max_send_streams(NOT_TOLD)
            .keep_alive_interval(PING_INTERVAL)
            .keep_alive_timeout(PING_TIMEOUT);
        let handshake = builder.handshake(io).await;
        let (sender, mut connection) = handshake.map_err(|error| Failure::http2(error, true))?;
        let state = Arc::new(State {
            streams: AtomicUsize::new(0),
            max: AtomicUsize::new(0),
            is_retired: AtomicBool::new(false),
            resets: AtomicUsize::new(0),
            reset_turn: tokio::sync::Mutex::default(),
            used_at: Mutex::new(Instant::now()),
        });
        let driven = Arc::clone(&state);
        tokio::spawn(async move {
            let ended = std::future::poll_fn(|cx| {
                let ended = Pin::new(&mut connection).poll(cx);
                let permitted = connection.current_max_send_streams();
                if permitted != NOT_TOLD {
                    driven.max.store(permitted, Ordering::Relaxed);
                }
                ended
            });
            if let Err(error) = ended.await {
                tracing::debug!(%error, "a connection to a backend has failed");
            }
            driven.is_retired.store(true, Ordering::Relaxed);
        });
        Ok(Self { sender, state })
    }

    /// Sets the number of requests at a time that the server permits.
    pub(super) fn permit(&self, streams: usize) {
        self.state.max.store(streams, Ordering::Relaxed);
    }

    /// Returns the number of requests that use it.
    pub(super) fn streams(&self) -> usize {
        self.state.streams.load(Ordering::Relaxed)
    }

    /// Returns whether the server permits another request now.
    pub(super) fn has_room(&self) -> bool {
        self.streams() < self.state.max.load(Ordering::Relaxed).min(MAX_STREAMS)
    }

    /// Returns whether no further request must use it.
    pub(super) fn is_retired(&self) -> bool {
        self.state.is_retired.load(Ordering::Relaxed) || self.sender.is_closed()
    }

    /// Returns the time since the last request; `None` while there is one.
    pub(super) fn idle_for(&self) -> Option<Duration> {
        let used_at = *self.state.used_at.lock().unwrap_or_else(PoisonError::into_inner);
        (self.streams() == 0).then(|| used_at.elapsed())
    }

    /// Sends a request and returns the head of its response, with the stream that ends when it is dropped.
    ///
    /// # Errors
    /// The failure, and whether nothing was written.
    pub(super) async fn send(
        &self,
        request: Request<Upload>,
        suspect: &Suspect,
    ) -> Result<(Response<Incoming>, Option<Stream>), Failure> {
        let stream = Some(Stream::open(&self.state));
        *suspect.0.lock().unwrap_or_else(PoisonError::into_inner) = Arc::downgrade(&self.state);
        let sending = Box::pin(self.sender.clone().try_send_request(request));
        (Pending { sending, stream }).answer().await.map_err(|mut error| {
            let is_unsent = error.take_message().is_some();
            let failure = Failure::http2(error.into_error(), is_unsent);
            if failure.is_unprocessed() {
                // The server goes away, or takes no more requests here.
                self.state.is_retired.store(true, Ordering::Relaxed);
            }
            failure
        })
    }
}

type Answer = Result<Response<Incoming>, TrySendError<Request<Upload>>>;

/// A request without a response.
struct Pending {
    sending: Pin<Box<dyn Future<Output = Answer> + Send>>,
    /// `None` once there is a response.
    stream: Option<Stream>,
}

impl Pending {
    async fn answer(mut self) -> Result<(Response<Incoming>, Option<Stream>), TrySendError<Request<Upload>>> {
        let answer = self.sending.as_mut().await;
        let stream = self.stream.take();
        answer.map(|response| (response, stream))
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if let Some(stream) = self.stream.take() {
            stream.reset(std::mem::replace(&mut self.sending, Box::pin(std::future::pending())));
        }
    }
}

/// A request on a connection, until its response ends.
#[derive(Debug)]
pub(in crate::proxy) struct Stream(Arc<State>);

impl Stream {
    fn open(state: &Arc<State>) -> Self {
        state.streams.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(state))
    }

    /// Resets the stream, when it is its turn, by dropping what waits for it.
    pub(super) fn reset(self, waiting: impl Send + 'static) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        if self.0.resets.fetch_add(1, Ordering::Relaxed) >= MAX_RESETS {
            self.0.is_retired.store(true, Ordering::Relaxed);
        }
        runtime.spawn(async move {
            let state = Arc::clone(&self.0);
            let _turn = state.reset_turn.lock().await;
            drop((waiting, self));
            state.resets.fetch_sub(1, Ordering::Relaxed);
            tokio::time::sleep(RESET_INTERVAL).await;
        });
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if self.0.streams.fetch_sub(1, Ordering::Relaxed) == 1 {
            *self.0.used_at.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        }
    }
}

impl fmt::Debug for Http2 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http2").field("state", &self.state).finish_non_exhaustive()
    }
}
