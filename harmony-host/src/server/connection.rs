//! A client connection: TLS handshake, HTTP version, requests.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Version};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::Watcher;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use crate::http::connection_info::{ConnectionInfo, ForwardedPeer};
use crate::http::url_prefix::Scheme;
use crate::server::context::ListenerContext;
use crate::server::preface;
use crate::server::service::Service;

/// The deadline for the head of a request. It limits idle connections as well.
const HEAD_TIMEOUT: Duration = Duration::from_secs(60);

/// The deadline for a TLS handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// The maximum size of the head of a request.
const MAX_HEAD_BYTES: usize = 64 * 1024;

/// The maximum number of concurrent HTTP/2 streams on a connection.
const MAX_STREAMS: u32 = 256;

/// The interval of HTTP/2 pings, which detect dead clients.
const PING_INTERVAL: Duration = Duration::from_secs(30);

/// Serves one connection until it closes.
pub(super) async fn serve<S: Service>(
    stream: TcpStream,
    peer: SocketAddr,
    context: ListenerContext<S>,
    watcher: Watcher,
) {
    let ListenerContext { address, spec: initial_spec, service } = context;
    let _ = stream.set_nodelay(true);
    // A new connection uses the current listener settings. Each request then uses the snapshot that is current when it
    // arrives.
    let spec = service.spec(address).map_or(initial_spec, Arc::new);
    let connection = |scheme| {
        let (network, forwarded) = (Arc::clone(&spec.network), ForwardedPeer::new(peer.ip()));
        Arc::new(ConnectionInfo { listener: address, network, scheme, peer, forwarded })
    };
    match &spec.tls {
        None => {
            let connection = connection(Scheme::Http);
            match tokio::time::timeout(HEAD_TIMEOUT, preface::version(&stream)).await {
                Ok(Ok(version)) => http(stream, version, connection, service, watcher).await,
                Ok(Err(error)) => tracing::debug!(%peer, %error, "the connection ended early"),
                Err(_) => tracing::debug!(%peer, "the client sent no request in time"),
            }
        }
        Some(tls) => {
            let acceptor = TlsAcceptor::from(Arc::clone(&tls.config));
            let connection = connection(Scheme::Https);
            match tokio::time::timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream)).await {
                Ok(Ok(stream)) => {
                    let is_h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                    let version = if is_h2 { Version::HTTP_2 } else { Version::HTTP_11 };
                    http(stream, version, connection, service, watcher).await;
                }
                Ok(Err(error)) => tracing::debug!(%peer, %error, "the TLS handshake failed"),
                Err(_) => tracing::debug!(%peer, "the TLS handshake timed out"),
            }
        }
    }
}

/// Serves HTTP on `stream`. The caller detects the version: hyper's own detection waits for the first bytes without a
/// deadline, so a silent client could keep a connection open forever.
async fn http<IO, S: Service>(
    stream: IO,
    version: Version,
    connection: Arc<ConnectionInfo>,
    service: Arc<S>,
    watcher: Watcher,
) where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT).max_buf_size(MAX_HEAD_BYTES);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(MAX_HEAD_BYTES as u32)
        .keep_alive_interval(PING_INTERVAL);
    let builder = if version == Version::HTTP_2 { builder.http2_only() } else { builder.http1_only() };
    let peer = connection.peer;
    let handler = service_fn(move |request: Request<Incoming>| {
        let (service, connection) = (Arc::clone(&service), Arc::clone(&connection));
        async move { Ok::<_, Infallible>(service.serve(&connection, request).await) }
    });
    let connection = builder.serve_connection(TokioIo::new(stream), handler);
    if let Err(error) = watcher.watch(connection).await {
        tracing::debug!(%peer, error, "the connection ended early");
    }
}
