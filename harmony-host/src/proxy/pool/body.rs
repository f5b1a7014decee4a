//! The body of a backend's response.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;

use crate::http::body::BodyError;
use crate::proxy::pool::decoded::Decoded;
use crate::proxy::pool::decoder::Decoder;
use crate::proxy::pool::failure::Broken;
use crate::proxy::pool::http1::{Home, Http1};
use crate::proxy::pool::http2::Stream;
use crate::proxy::pool::switched::Switched;

/// The body of a response. Dropping it before its end ends the request.
#[derive(Debug)]
pub(in crate::proxy) enum BackendBody {
    /// A body that was read already.
    Whole(Bytes),
    /// A body that drives its connection.
    Http1(Driven),
    /// A body of a shared connection.
    Http2(Streamed),
    /// No body, but another protocol that follows a response 101.
    Switched(Switched),
}

/// A body with its connection.
pub(in crate::proxy) struct Driven {
    decoder: Decoder,
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
    pub(super) fn http1(decoder: Decoder, mut connection: Http1, home: Arc<dyn Home>) -> Self {
        let whole = match decoder.left() {
            Some(left) if left <= connection.input().len() as u64 => left as usize,
            _ => return Self::Http1(Driven { decoder, connection: Some((connection, home)) }),
        };
        let input = connection.input();
        let body = if whole == input.len() { std::mem::take(input) } else { input.split_to(whole) };
        connection.finish(home);
        Self::Whole(body)
    }
}

impl Driven {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let Some((connection, _)) = &mut self.connection else { return Poll::Ready(None) };
        let frame = ready!(poll_frame(&mut self.decoder, connection, cx));
        if matches!(frame, Some(Err(_))) {
            (self.decoder, self.connection) = (Decoder::Ended, None);
        } else if self.decoder.is_ended()
            && let Some((connection, home)) = self.connection.take()
        {
            connection.finish(home);
        }
        Poll::Ready(frame)
    }
}

fn poll_frame(
    decoder: &mut Decoder,
    connection: &mut Http1,
    cx: &mut Context<'_>,
) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
    if let Err(error) = connection.write(cx) {
        return Poll::Ready(Some(Err(error)));
    }
    loop {
        match decoder.decode(connection.input()) {
            Ok(Decoded::Data(data)) => return Poll::Ready(Some(Ok(Frame::data(data)))),
            Ok(Decoded::Trailers(trailers)) => return Poll::Ready(Some(Ok(Frame::trailers(trailers)))),
            Ok(Decoded::End) => return Poll::Ready(None),
            Ok(Decoded::More) => {}
            Err(malformed) => return Poll::Ready(Some(Err(malformed.into()))),
        }
        match ready!(connection.poll_read(cx)) {
            Ok(0) if decoder.end() => return Poll::Ready(None),
            Ok(0) => return Poll::Ready(Some(Err(Broken::Closed))),
            Ok(_) => {}
            Err(error) => return Poll::Ready(Some(Err(Broken::Io(error)))),
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
        match self.get_mut() {
            Self::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Self::Whole(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Self::Http1(body) => body.poll_frame(cx).map_err(Into::into),
            Self::Http2(body) => body.poll_frame(cx).map_err(Into::into),
            Self::Switched(_) => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(bytes) => bytes.is_empty(),
            Self::Http1(body) => body.decoder.is_ended(),
            Self::Http2(body) => body.incoming.as_ref().is_none_or(HttpBody::is_end_stream),
            Self::Switched(_) => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Http1(body) => body.decoder.left().map_or_else(SizeHint::default, SizeHint::with_exact),
            Self::Http2(body) => body.incoming.as_ref().map_or_else(SizeHint::default, HttpBody::size_hint),
            Self::Switched(_) => SizeHint::with_exact(0),
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
        f.debug_struct("Driven").field("decoder", &self.decoder).finish_non_exhaustive()
    }
}
