//! A client connection: TLS handshake, HTTP version, requests, and its end.

use std::convert::Infallible;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response, Version};
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::{Service as HttpService, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use crate::http::authority::KnownHost;
use crate::http::connection_info::{ConnectionInfo, ForwardedPeer};
use crate::http::limits::MAX_HEADER_LIST_BYTES;
use crate::http::timer::TimerSlot;
use crate::http::tunnel::TunnelSlot;
use crate::http::url_prefix::Scheme;
use crate::metrics::{Ending, Reason, Traffic};
use crate::server::answer::{Answer, answer};
use crate::server::client_stream::ClientStream;
use crate::server::context::ListenerContext;
use crate::server::drain::Drain;
use crate::server::http1::{self, BoxError};
use crate::server::in_flight::Activity;
use crate::server::on_wake::OnWake;
use crate::server::preface::FirstBytes;
use crate::server::room::Place;
use crate::server::service::Service;
use crate::server::streams::Streams;
use crate::snapshot::ListenerSpec;

/// The deadline for a TLS handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// The time that a connection without requests in flight has to close when it must finish.
const DRAIN_PATIENCE: Duration = Duration::from_secs(1);

/// The maximum number of concurrent HTTP/2 streams on a connection; RFC 9113 (section 5.1.2) recommends at least 100. Each
/// can hold a connection to a backend, and some parts of a response that the client does not read.
const MAX_STREAMS: u32 = 100;

/// The size of the queue of a stream. The next part of the response is read from the backend when it is empty.
const STREAM_QUEUE_BYTES: usize = 8 * 1024;

/// The windows of HTTP/2: the bytes of request bodies that a client may send before they were read, on one stream and on
/// the connection.
const STREAM_WINDOW_BYTES: u32 = 256 * 1024;
const CONNECTION_WINDOW_BYTES: u32 = 512 * 1024;

/// The interval of HTTP/2 pings, which detect dead clients.
const PING_INTERVAL: Duration = Duration::from_secs(30);

/// Serves one connection until it closes, or until it must end: its place is needed while it is idle, it stays open without
/// requests although it must finish, or the deadline of the drain is over. It must finish when its listener drains, or when
/// it was idle for the time that the configuration permits.
pub(super) async fn serve<S: Service>(
    stream: TcpStream,
    peer: SocketAddr,
    context: ListenerContext<S>,
    place: Place,
    mut drain: Drain,
) {
    let activity = place.activity();
    // A new connection uses the current listener settings. Each request then uses the snapshot that is current when it
    // arrives.
    let spec = context.service.spec(context.address).map_or_else(|| Arc::clone(&context.spec), Arc::new);
    let idle_timeout = spec.client_idle_timeout;
    let (mut drains, must_finish) = (drain.clone(), Notify::new());
    let must_end = Box::pin(async {
        tokio::select! {
            () = place.must_leave() => Ending::Displaced,
            () = activity.pace().must_end() => Ending::Slow,
            () = async {
                tokio::select! {
                    () = drains.started() => {}
                    () = activity.silent_for(idle_timeout) => {}
                }
                must_finish.notify_one();
                Box::pin(activity.idle_for(DRAIN_PATIENCE)).await;
            } => Ending::Idle,
            () = drain.cut() => Ending::Stopped,
        }
    });
    let (traffic, service) = (activity.traffic(), Arc::clone(&context.service));
    traffic.accept();
    let conversation = Box::pin(converse(stream, peer, spec, context, activity, &must_finish));
    let ending = tokio::select! {
        biased;
        ended = conversation => match ended {
            Ok(()) => Ending::Closed,
            Err(error) => {
                tracing::debug!(%peer, error, "the connection ended early");
                failed(&error, service.traffic())
            }
        },
        ending = OnWake::new(must_end) => {
            tracing::debug!(%peer, reason = ending.describe(), "the connection was closed");
            ending
        }
    };
    traffic.end(ending);
}

/// Returns how a connection ended that an error has ended. The server has answered a head that is no valid HTTP itself.
fn failed(error: &BoxError, traffic: &Traffic) -> Ending {
    if error.is::<HandshakeFailed>() {
        return Ending::Tls;
    }
    let reason = match error.downcast_ref::<hyper::Error>() {
        Some(error) if error.is_parse_too_large() => Reason::HeadTooLarge,
        Some(error) if error.is_parse() => Reason::Malformed,
        _ => return Ending::Failed,
    };
    if let Some(unlogged) = traffic.refuse(reason) {
        tracing::info!(reason = reason.as_str(), unlogged, "a request was refused");
    }
    Ending::Malformed
}

/// The error of a TLS handshake.
#[derive(Debug)]
struct HandshakeFailed(io::Error);

impl fmt::Display for HandshakeFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the TLS handshake failed: {}", self.0)
    }
}

impl std::error::Error for HandshakeFailed {}

/// Serves the requests of one connection.
///
/// # Errors
/// The error that ended the connection.
async fn converse<S: Service>(
    mut stream: TcpStream,
    peer: SocketAddr,
    spec: Arc<ListenerSpec>,
    context: ListenerContext<S>,
    activity: &Arc<Activity>,
    must_finish: &Notify,
) -> Result<(), BoxError> {
    let ListenerContext { address, service, .. } = context;
    let _ = stream.set_nodelay(true);
    let connection = |scheme| {
        let (network, forwarded) = (Arc::clone(&spec.network), ForwardedPeer::new(peer.ip(), scheme));
        Arc::new(ConnectionInfo {
            listener: address,
            network,
            scheme,
            peer,
            forwarded,
            host: KnownHost::default(),
            tunnel: TunnelSlot::default(),
            timer: TimerSlot::default(),
        })
    };
    let wrap = |stream, first| ClientStream::new(stream, first, Arc::clone(activity));
    let caller = |scheme| {
        let (service, connection) = (Arc::clone(&service), connection(scheme));
        Arc::new(Caller { service, connection, activity: Arc::clone(activity) })
    };
    // The boxes keep the state of what is over, and of the other version, out of that of the connection.
    match &spec.tls {
        None => {
            let first = Box::pin(FirstBytes::read(&mut stream, spec.client_idle_timeout));
            let (version, first) = first.await?;
            Box::pin(http(wrap(stream, first), version, caller(Scheme::Http), must_finish)).await
        }
        Some(tls) => {
            let acceptor = TlsAcceptor::from(Arc::clone(&tls.config));
            let stream = wrap(stream, FirstBytes::default());
            Box::pin(https(stream, acceptor, caller(Scheme::Https), must_finish)).await
        }
    }
}

/// Serves HTTP over TLS.
///
/// # Errors
/// The error that ended the connection.
async fn https<S: Service>(
    stream: ClientStream<TcpStream>,
    acceptor: TlsAcceptor,
    caller: Arc<Caller<S>>,
    must_finish: &Notify,
) -> Result<(), BoxError> {
    let handshake = acceptor.accept(stream).into_fallible();
    let Ok(accepted) = Box::pin(timeout(HANDSHAKE_TIMEOUT, handshake)).await else {
        let error = io::Error::new(io::ErrorKind::TimedOut, "it timed out");
        return Err(HandshakeFailed(error).into());
    };
    let stream = match accepted {
        Ok(stream) => stream,
        // A health check of TCP, or the probe of the gateway: there was no handshake that could fail.
        Err((error, silent)) if silent.is_unread() => return Err(error.into()),
        Err((error, _)) => return Err(HandshakeFailed(error).into()),
    };
    let is_h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    let version = if is_h2 { Version::HTTP_2 } else { Version::HTTP_11 };
    Box::pin(http(stream, version, caller, must_finish)).await
}

/// The other end of a connection, and the service that its requests are for.
struct Caller<S> {
    service: Arc<S>,
    connection: Arc<ConnectionInfo>,
    activity: Arc<Activity>,
}

/// Serves HTTP on `stream`, and then the tunnel that its last response has announced. hyper's own detection of the version
/// waits for the first bytes without a deadline, so a silent client could keep a connection open forever.
async fn http<IO, S: Service>(
    stream: IO,
    version: Version,
    caller: Arc<Caller<S>>,
    must_finish: &Notify,
) -> Result<(), BoxError>
where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (connection, activity) = (Arc::clone(&caller.connection), Arc::clone(&caller.activity));
    let handler = service_fn(move |request: Request<Incoming>| {
        let caller = Arc::clone(&caller);
        // A connection is idle for most of its life: the state of a request lives no longer than the request.
        Box::pin(async move {
            let Caller { service, connection, activity } = &*caller;
            Ok::<_, Infallible>(answer(&**service, connection, activity, request).await)
        })
    });
    if version == Version::HTTP_2 {
        return http2(stream, handler, activity, must_finish).await;
    }
    http1::serve(stream, handler, &activity, must_finish).await?;
    if let Some(tunnel) = connection.tunnel.take() {
        let _in_flight = activity.begin();
        tunnel.await;
    }
    Ok(())
}

/// Serves HTTP/2 on `stream` until it closes, or until the connection must finish.
///
/// # Errors
/// The error that ended the connection.
async fn http2<IO, H>(
    stream: IO,
    handler: H,
    activity: Arc<Activity>,
    must_finish: &Notify,
) -> Result<(), BoxError>
where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    H: HttpService<Request<Incoming>, Response = Response<Answer>, Error = Infallible>,
    H::Future: Send + 'static,
{
    let mut builder = http2::Builder::new(Streams(activity));
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .max_send_buf_size(STREAM_QUEUE_BYTES)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_header_list_size(MAX_HEADER_LIST_BYTES)
        .keep_alive_interval(PING_INTERVAL);
    let mut serving = Box::pin(builder.serve_connection(TokioIo::new(stream), handler));
    let told_to_finish = std::pin::pin!(must_finish.notified());
    tokio::select! {
        // The connection first: it must have read a request that has arrived, so that the end does not drop it.
        biased;
        ended = serving.as_mut() => return ended.map_err(Into::into),
        () = OnWake::new(told_to_finish) => {}
    }
    serving.as_mut().graceful_shutdown();
    serving.await.map_err(Into::into)
}
