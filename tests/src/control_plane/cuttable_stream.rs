//! A TCP stream that can be cut after a number of bytes.

use std::io::{Error, ErrorKind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// A TCP stream that fails to write after a limit of bytes.
#[derive(Debug)]
pub(crate) struct CuttableStream {
    stream: TcpStream,
    limit: CutHandle,
}

/// A handle that cuts a [`CuttableStream`].
#[derive(Clone, Debug)]
pub(crate) struct CutHandle(Arc<AtomicUsize>);

impl CutHandle {
    /// Cuts the stream after `bytes` further bytes are written.
    pub(crate) fn after(&self, bytes: usize) {
        self.0.store(bytes, Ordering::Release);
    }
}

impl CuttableStream {
    pub(crate) fn new(stream: TcpStream) -> (Self, CutHandle) {
        let handle = CutHandle(Arc::new(AtomicUsize::new(usize::MAX)));
        (Self { stream, limit: handle.clone() }, handle)
    }
}

impl AsyncRead for CuttableStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<Result<(), Error>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for CuttableStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<Result<usize, Error>> {
        let left = self.limit.0.load(Ordering::Acquire);
        if left == 0 {
            return Poll::Ready(Err(ErrorKind::BrokenPipe.into()));
        }
        let allowed = &bytes[..bytes.len().min(left)];
        let written = std::task::ready!(Pin::new(&mut self.stream).poll_write(context, allowed))?;
        if left != usize::MAX {
            self.limit.after(left - written);
        }
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
