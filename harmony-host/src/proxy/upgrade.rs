//! Upgrades: requests to switch to another protocol, and the tunnels after them (RFC 9110, section 7.8).

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::header::{CONNECTION, CONTENT_LENGTH, UPGRADE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Version};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, Join, ReadBuf, ReadHalf, WriteHalf, copy_bidirectional, join, split};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::http::body::{Body, with_idle_timeout};
use crate::http::timer::Timer;
use crate::http::tunnel::TunnelSlot;
use crate::http::upload::Upload;
use crate::plan::HttpUpstream;
use crate::proxy::backend_failure;
use crate::proxy::error::ProxyError;
use crate::proxy::headers::remove_hop_by_hop;
use crate::proxy::pool::{BackendBody, Switched};

/// The maximum number of tunnels. A tunnel holds two connections for as long as its client likes.
const MAX_TUNNELS: usize = 1024;

/// The longest time in which no byte passes a tunnel. WebSockets send a ping at least once a minute usually.
const IDLE_TIMEOUT: Duration = Duration::from_secs(300);

/// The deadline for the client to have switched, after the response 101.
const SWITCH_TIMEOUT: Duration = Duration::from_secs(10);

/// The limit on tunnels.
#[derive(Debug)]
pub(super) struct Tunnels(Arc<Semaphore>);

/// A request of a client for another protocol, which its backend may be asked for.
#[derive(Debug)]
pub(super) struct Asked {
    protocol: HeaderValue,
    client: OnUpgrade,
    place: OwnedSemaphorePermit,
}

impl Tunnels {
    /// Permits tunnels on at most half of `connections`.
    pub(super) fn new(connections: usize) -> Self {
        Self(Arc::new(Semaphore::new(MAX_TUNNELS.min(connections / 2))))
    }

    /// Returns the upgrade that a request asks for and the backend permits; `None` for other requests, which are forwarded
    /// without it. An upgrade is possible only over HTTP/1.1, and here only for a GET without a body.
    ///
    /// # Errors
    /// `Overloaded` if there are as many tunnels as possible.
    pub(super) fn asked(
        &self,
        request: &mut Request<Upload>,
        upstream: &HttpUpstream,
    ) -> Result<Option<Asked>, ProxyError> {
        let is_possible = request.version() == Version::HTTP_11
            && request.method() == Method::GET
            && request.body().is_empty();
        if !is_possible || !has_option(request.headers(), CONNECTION, b"upgrade") {
            return Ok(None);
        }
        let permitted = |name: &&String| has_option(request.headers(), UPGRADE, name.as_bytes());
        let protocol = upstream.upgrades.iter().find(permitted).and_then(|name| name.parse().ok());
        let Some(protocol) = protocol else { return Ok(None) };
        let place = Arc::clone(&self.0).try_acquire_owned().map_err(|_| ProxyError::Overloaded)?;
        Ok(Some(Asked { protocol, client: hyper::upgrade::on(request), place }))
    }
}

impl Asked {
    /// Returns the protocol that the backend is asked for.
    pub(super) fn protocol(&self) -> &HeaderValue {
        &self.protocol
    }

    /// Returns the response 101 for the client, and sets the tunnel that follows it.
    ///
    /// # Errors
    /// `BadGateway` if the backend has switched to another protocol.
    pub(super) fn accept(
        self,
        response: Response<BackendBody>,
        sent: backend_failure::Asked<'_>,
        slot: &TunnelSlot,
    ) -> Result<Response<Body>, ProxyError> {
        let mut protocols = response.headers().get_all(UPGRADE).iter();
        let is_same = |name: &HeaderValue| name.as_bytes().eq_ignore_ascii_case(self.protocol.as_bytes());
        if !matches!((protocols.next(), protocols.next()), (Some(only), None) if is_same(only)) {
            return Err(unasked(sent));
        }
        let (mut parts, body) = response.into_parts();
        let BackendBody::Switched(backend) = body else { return Err(unasked(sent)) };
        remove_hop_by_hop(&mut parts.headers);
        parts.headers.remove(CONTENT_LENGTH);
        set_protocol(&mut parts.headers, &self.protocol);
        parts.version = Version::default();
        parts.extensions.clear();
        let name = Arc::clone(&sent.upstream.backend);
        slot.put(Box::pin(async move {
            tracing::debug!(backend = &*name, "a tunnel begins");
            tunnel(self.client, backend).await;
            drop(self.place);
            tracing::debug!(backend = &*name, "a tunnel has ended");
        }));
        Ok(Response::from_parts(parts, Body::Empty))
    }
}

/// Returns the error for a backend that switched to a protocol that it was not asked for.
pub(super) fn unasked(mut sent: backend_failure::Asked<'_>) -> ProxyError {
    let status = StatusCode::SWITCHING_PROTOCOLS.as_u16();
    sent.invalid(&format!("answered {status} and was not asked for that protocol"))
}

/// Returns whether a list header has an element.
fn has_option(headers: &HeaderMap, name: HeaderName, option: &[u8]) -> bool {
    let mut all = headers.get_all(name).iter().flat_map(|value| value.as_bytes().split(|b| *b == b','));
    all.any(|found| found.trim_ascii().eq_ignore_ascii_case(option))
}

fn set_protocol(headers: &mut HeaderMap, protocol: &HeaderValue) {
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, protocol.clone());
}

/// Passes bytes in both directions until both sides have ended, one fails, or nothing passes for [`IDLE_TIMEOUT`].
async fn tunnel(client: OnUpgrade, backend: Switched) {
    let Ok(Ok(client)) = timeout(SWITCH_TIMEOUT, client).await else { return };
    let passed = Arc::new(AtomicU32::new(0));
    let (mut client, mut backend) = (counted(TokioIo::new(client), &passed), counted(backend, &passed));
    let passing = copy_bidirectional(&mut client, &mut backend);
    let mut timer = Timer::default();
    let _ =
        with_idle_timeout(passing, IDLE_TIMEOUT, &mut timer, None, || passed.load(Ordering::Relaxed)).await;
}

/// Returns one side of a tunnel, whose reads are counted.
fn counted<IO: AsyncRead + AsyncWrite>(
    io: IO,
    passed: &Arc<AtomicU32>,
) -> Join<Counted<ReadHalf<IO>>, WriteHalf<IO>> {
    let (reader, writer) = split(io);
    join(Counted { reader, passed: Arc::clone(passed) }, writer)
}

/// The reading half of one side of a tunnel, which counts its reads.
#[derive(Debug)]
struct Counted<R> {
    reader: R,
    passed: Arc<AtomicU32>,
}

impl<R: AsyncRead + Unpin> AsyncRead for Counted<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.reader).poll_read(cx, buffer))?;
        self.passed.fetch_add(1, Ordering::Relaxed);
        Poll::Ready(Ok(()))
    }
}
