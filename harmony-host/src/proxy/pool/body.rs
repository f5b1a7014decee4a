//! The body of a backend's response.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;

use crate::http::body::BodyError;
use crate::proxy::pool::http1::{Home, Http1};
use crate::proxy::pool::http2::Stream;

/// The body of a response. Dropping it before its end ends the request.
#[derive(Debug)]
pub(in crate::proxy) enum BackendBody {
    /// A body that drives its connection.
    Http1(Driven),
    /// A body of a shared connection.
    Http2(Streamed),
    /// A body of a connection of its own, which may become a tunnel.
    Own(Incoming),
}

/// A body with its connection.
pub(in crate::proxy) struct Driven {
    incoming: Incoming,
    /// `None` after the end, when the connection has gone back.
    connection: Option<(Http1, Arc<dyn Home>)>,
}

/// A body of a stream. Its stream is reset if it is dropped before its end.
pub(in crate::proxy) struct Streamed {
    /// `None` when it was dropped.
    incoming: Option<Incoming>,
    stream: Option<Stream>,
}

impl Streamed {
    pub(super) fn new(incoming: Incoming, stream: Option<Stream>) -> Self {
        Self { incoming: Some(incoming), stream }
    }

    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<hyper::Result<Frame<Bytes>>>> {
        let Some(incoming) = &mut self.incoming else { return Poll::Ready(None) };
        let frame = Pin::new(&mut *incoming).poll_frame(cx);
        if matches!(frame, Poll::Ready(None | Some(Err(_)))) || incoming.is_end_stream() {
            self.stream = None;
        }
        frame
    }
}

impl Drop for Streamed {
    fn drop(&mut self) {
        let is_over = self.incoming.as_ref().is_none_or(HttpBody::is_end_stream);
        if let (Some(stream), Some(incoming)) = (self.stream.take(), self.incoming.take())
            && !is_over
        {
            stream.reset(incoming);
        }
    }
}

impl BackendBody {
    /// Creates the body of a response whose connection goes back to `home` at its end.
    pub(super) fn http1(incoming: Incoming, connection: Http1, home: Arc<dyn Home>) -> Self {
        let mut body = Driven { incoming, connection: Some((connection, home)) };
        body.finish_at_end(&mut Context::from_waker(Waker::noop()));
        Self::Http1(body)
    }
}

impl Driven {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<hyper::Result<Frame<Bytes>>>> {
        let mut frame = Pin::new(&mut self.incoming).poll_frame(cx);
        if let Some((connection, _)) = self.connection.as_mut().filter(|_| frame.is_pending()) {
            connection.drive(cx);
            frame = Pin::new(&mut self.incoming).poll_frame(cx);
        }
        match frame {
            Poll::Ready(None) => self.finish(cx),
            Poll::Ready(Some(Err(_))) => self.connection = None,
            Poll::Ready(Some(Ok(_))) => self.finish_at_end(cx),
            Poll::Pending => {}
        }
        frame
    }

    fn finish_at_end(&mut self, cx: &mut Context<'_>) {
        if self.incoming.is_end_stream() {
            self.finish(cx);
        }
    }

    fn finish(&mut self, cx: &mut Context<'_>) {
        if let Some((connection, home)) = self.connection.take() {
            connection.finish(&home, cx);
        }
    }
}

impl HttpBody for BackendBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let frame = match self.get_mut() {
            Self::Http1(body) => body.poll_frame(cx),
            Self::Http2(body) => body.poll_frame(cx),
            Self::Own(incoming) => Pin::new(incoming).poll_frame(cx),
        };
        frame.map_err(Into::into)
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Http1(Driven { incoming, .. }) | Self::Own(incoming) => incoming.is_end_stream(),
            Self::Http2(body) => body.incoming.as_ref().is_none_or(HttpBody::is_end_stream),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Http1(Driven { incoming, .. }) | Self::Own(incoming) => incoming.size_hint(),
            Self::Http2(body) => body.incoming.as_ref().map_or_else(SizeHint::default, HttpBody::size_hint),
        }
    }
}

impl fmt::Debug for Streamed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Streamed").field("incoming", &self.incoming).finish_non_exhaustive()
    }
}

impl fmt::Debug for Driven {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driven").field("incoming", &self.incoming).finish_non_exhaustive()
    }
}
