//! A request on its way to the socket: the head and the body behind it.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use http::header::TRAILER;
use http::{HeaderMap, HeaderName};
use http_body::Body as _;
use tokio::io::AsyncWrite;

use crate::http::body::BodyError;
use crate::http::upload::Upload;
use crate::proxy::outgoing::{Framing, Outgoing, write_field};

/// The maximum size of a part of a body that is copied behind what is written with it.
const COPIED_BYTES: usize = 2048;

/// The capacity of the buffer that an idle connection keeps: enough for the heads of most requests.
const KEPT_CAPACITY: usize = 1024;

/// The part of a request that the socket has not taken yet, and its body.
#[derive(Debug, Default)]
pub(super) struct Output {
    /// The head, or small parts of the body with their framing.
    bytes: Vec<u8>,
    /// The number of `bytes` that are written.
    written: usize,
    /// A large part of the body, behind `bytes`.
    data: Bytes,
    /// The line end of a chunk, behind `data`.
    line_end: &'static [u8],
    body: Option<Sending>,
    needs_flush: bool,
}

/// A body that is being sent. It is read only when what was read before is written.
#[derive(Debug)]
struct Sending {
    upload: Upload,
    framing: Framing,
    /// The trailers that the head has announced; others are left out.
    trailers: Vec<HeaderName>,
}

/// The reason why a request could not be written.
#[derive(Debug)]
pub(super) enum WriteError {
    Io(io::Error),
    /// The body ended early, or was longer than announced.
    Body(BodyError),
}

impl Output {
    /// Begins a request: writes its head into the buffer, and the part of its body that is there already.
    ///
    /// # Errors
    /// The body is invalid.
    pub(super) fn begin(&mut self, outgoing: &Outgoing<'_>, cx: &mut Context<'_>) -> Result<(), WriteError> {
        self.written = 0;
        self.bytes.clear();
        let framing = outgoing.write_head(&mut self.bytes).map_err(WriteError::Body)?;
        if framing == Framing::None || framing == Framing::Length(0) {
            return Ok(());
        }
        let announced = outgoing.request.headers().get_all(TRAILER).iter();
        let announced = announced.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
        let trailers = announced.filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok()).collect();
        self.body = Some(Sending { upload: outgoing.request.body().clone(), framing, trailers });
        while self.body.is_some() && self.data.is_empty() && self.bytes.len() < COPIED_BYTES {
            match self.poll_body(cx) {
                Poll::Ready(read) => read?,
                Poll::Pending => break,
            }
        }
        Ok(())
    }

    /// Returns whether the whole request was written.
    pub(super) fn is_over(&self) -> bool {
        self.body.is_none() && self.is_written() && !self.needs_flush
    }

    /// Gives up what an idle connection does not need.
    pub(super) fn shrink(&mut self) {
        if self.bytes.capacity() > KEPT_CAPACITY {
            self.bytes = Vec::new();
        }
    }

    fn is_written(&self) -> bool {
        self.written == self.bytes.len() && self.data.is_empty() && self.line_end.is_empty()
    }

    /// Writes what is possible now. Ready when the whole request is written.
    pub(super) fn poll(
        &mut self,
        io: &mut (impl AsyncWrite + Unpin),
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), WriteError>> {
        loop {
            while !self.is_written() {
                ready!(self.poll_write(io, cx)).map_err(WriteError::Io)?;
            }
            if self.needs_flush {
                ready!(Pin::new(&mut *io).poll_flush(cx)).map_err(WriteError::Io)?;
                self.needs_flush = false;
            }
            if self.body.is_none() {
                return Poll::Ready(Ok(()));
            }
            ready!(self.poll_body(cx))?;
        }
    }

    fn poll_write(
        &mut self,
        io: &mut (impl AsyncWrite + Unpin),
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        self.needs_flush = true;
        let bytes = self.bytes.get(self.written..).unwrap_or_default();
        let count = match self.data.is_empty() && self.line_end.is_empty() {
            true => ready!(Pin::new(io).poll_write(cx, bytes))?,
            false => {
                let slices = [IoSlice::new(bytes), IoSlice::new(&self.data), IoSlice::new(self.line_end)];
                ready!(Pin::new(io).poll_write_vectored(cx, &slices))?
            }
        };
        if count == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        let of_bytes = count.min(bytes.len());
        let of_data = (count - of_bytes).min(self.data.len());
        self.written += of_bytes;
        self.data.advance(of_data);
        self.line_end = self.line_end.get(count - of_bytes - of_data..).unwrap_or_default();
        Poll::Ready(Ok(()))
    }

    /// Reads the next part of the body into the buffer.
    fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), WriteError>> {
        let Some(Sending { upload, framing, trailers }) = &mut self.body else { return Poll::Ready(Ok(())) };
        let frame = ready!(Pin::new(&mut *upload).poll_frame(cx)).transpose().map_err(WriteError::Body)?;
        if self.written == self.bytes.len() {
            self.bytes.clear();
            self.written = 0;
        }
        let mut is_end = frame.is_none() || upload.is_end_stream();
        match frame.map(http_body::Frame::into_data) {
            Some(Ok(data)) if !data.is_empty() => {
                if let Framing::Length(left) = framing {
                    let rest = left.checked_sub(data.len() as u64);
                    *left = rest.ok_or_else(|| WriteError::Body("the request body is too long".into()))?;
                    is_end |= *left == 0;
                } else {
                    self.bytes.extend_from_slice(format!("{:x}\r\n", data.len()).as_bytes());
                }
                let is_chunk = *framing == Framing::Chunked;
                if data.len() <= COPIED_BYTES {
                    self.bytes.extend_from_slice(&data);
                    if is_chunk {
                        self.bytes.extend_from_slice(b"\r\n");
                    }
                } else {
                    self.data = data;
                    self.line_end = if is_chunk { b"\r\n" } else { b"" };
                    // The end follows the data: it is read when they are written.
                    is_end &= !is_chunk;
                }
            }
            Some(Err(frame)) if *framing == Framing::Chunked => {
                if let Ok(fields) = frame.into_trailers() {
                    end_chunks(&mut self.bytes, &fields, trailers);
                    // Nothing may follow. The end is read so that the client's connection knows of it.
                    let _ = Pin::new(upload).poll_frame(cx);
                    self.body = None;
                    return Poll::Ready(Ok(()));
                }
            }
            _ => {}
        }
        if is_end {
            match framing {
                Framing::Length(left) if *left > 0 => {
                    return Poll::Ready(Err(WriteError::Body("the request body is too short".into())));
                }
                Framing::Chunked => end_chunks(&mut self.bytes, &HeaderMap::new(), trailers),
                Framing::Length(_) | Framing::None => {}
            }
            self.body = None;
        }
        Poll::Ready(Ok(()))
    }
}

/// Writes the last chunk, and the trailers that were announced.
fn end_chunks(bytes: &mut Vec<u8>, fields: &HeaderMap, announced: &[HeaderName]) {
    bytes.extend_from_slice(b"0\r\n");
    for (name, value) in fields.iter().filter(|(name, _)| announced.contains(name)) {
        write_field(bytes, name, value.as_bytes());
    }
    bytes.extend_from_slice(b"\r\n");
}
