//! The socket of a client: its first bytes again, deadlines for a client that does not read, and a close without a reset.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

use crate::http::gather::poll_write_gathered;
use crate::http::stall::Stall;
use crate::server::in_flight::Activity;
use crate::server::preface::FirstBytes;

/// The limits of a close: the time for the client to close as well, and the bytes that are dropped until then.
const LINGER_TIME: Duration = Duration::from_secs(2);
const LINGER_BYTES: usize = 1024 * 1024;

/// The socket of a client. `IO` is the TCP socket; below TLS too.
///
/// Closing a socket with unread bytes sends a reset, which can destroy the response before the client has read it. So a
/// close ends only the sending half, and then drops what the client still sends (RFC 9112, section 9.6).
#[derive(Debug)]
pub(super) struct ClientStream<IO> {
    io: IO,
    first: FirstBytes,
    activity: Arc<Activity>,
    stall: Stall,
    /// Set when the client has closed its half.
    ended: bool,
    /// Set until the client sends its first byte.
    is_unread: bool,
    linger: Option<Linger>,
}

/// A close in progress. The connection is idle from its beginning: it keeps its place as an idle one does, so that the client
/// can read its response, but a flood of clients that do not close takes no places from others.
#[derive(Debug)]
struct Linger {
    timer: Pin<Box<Sleep>>,
    dropped: usize,
}

impl<IO> ClientStream<IO> {
    /// Wraps a socket; `first` was read from it.
    pub(super) fn new(io: IO, first: FirstBytes, activity: Arc<Activity>) -> Self {
        Self { io, first, activity, stall: Stall::default(), ended: false, is_unread: true, linger: None }
    }

    /// Returns whether the client has sent nothing.
    pub(super) fn is_unread(&self) -> bool {
        self.is_unread
    }

    fn note(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        self.activity.set_write_blocked(written.is_pending());
        match &written {
            Poll::Pending => self.activity.pace().wait(),
            Poll::Ready(written) => {
                let written = *written.as_ref().unwrap_or(&0);
                self.activity.pace().advance(written, false);
                self.activity.traffic().send(written);
            }
        }
        self.stall.check(cx, written)
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for ClientStream<IO> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = self.read(cx, buffer);
        match buffer.filled().len() - before {
            0 => {}
            received => {
                self.is_unread = false;
                self.activity.traffic().receive(received);
            }
        }
        read
    }
}

impl<IO: AsyncRead + Unpin> ClientStream<IO> {
    fn read(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.first.give(buffer) {
            // What follows is read with it: two small reads would let the server double its buffer. An error or the end is
            // read again.
            let _ = Pin::new(&mut self.io).poll_read(cx, buffer);
            return Poll::Ready(Ok(()));
        }
        let before = (buffer.filled().len(), buffer.remaining());
        let read = Pin::new(&mut self.io).poll_read(cx, buffer);
        if matches!(read, Poll::Ready(Ok(()))) && before.1 > 0 && buffer.filled().len() == before.0 {
            self.ended = true;
        }
        read
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin> AsyncWrite for ClientStream<IO> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write(cx, bytes);
        self.note(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = poll_write_gathered(&mut self.io, cx, slices);
        self.note(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let me = &mut *self;
        if me.linger.is_none() {
            ready!(Pin::new(&mut me.io).poll_shutdown(cx))?;
        }
        let activity = &me.activity;
        let linger = me.linger.get_or_insert_with(|| {
            activity.close();
            Linger { timer: Box::pin(tokio::time::sleep(LINGER_TIME)), dropped: 0 }
        });
        let mut some = [0; 8192];
        while !me.ended && linger.dropped < LINGER_BYTES && linger.timer.as_mut().poll(cx).is_pending() {
            let mut buffer = ReadBuf::new(&mut some);
            // An error says that the client is gone. The response was sent, so nobody needs it.
            if ready!(Pin::new(&mut me.io).poll_read(cx, &mut buffer)).is_err() {
                break;
            }
            linger.dropped += buffer.filled().len();
            me.ended = buffer.filled().is_empty();
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
    use tokio::time::{Instant, timeout};

    use super::*;

    async fn pair(first: &[u8]) -> (DuplexStream, ClientStream<DuplexStream>, Arc<Activity>) {
        let (mut client, mut io) = duplex(1024);
        client.write_all(first).await.unwrap();
        let first = match first {
            [] => FirstBytes::default(),
            _ => FirstBytes::read(&mut io, Duration::from_secs(1)).await.unwrap().1,
        };
        let activity = Arc::new(Activity::new(Instant::now(), Arc::default()));
        (client, ClientStream::new(io, first, Arc::clone(&activity)), activity)
    }

    #[tokio::test]
    async fn first_bytes_come_before_the_others() {
        let (mut client, mut stream, _) = pair(b"GET /").await;
        client.write_all(b" HTTP/1.1").await.unwrap();
        drop(client);
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "GET / HTTP/1.1");
    }

    #[tokio::test(start_paused = true)]
    async fn a_close_drops_what_still_comes() {
        let (mut client, mut stream, _) = pair(b"").await;
        let sending = async {
            let mut answer = [0; 8];
            client.write_all(&[b'x'; 100_000]).await.unwrap();
            client.read_exact(&mut answer).await.unwrap();
            drop(client);
            answer
        };
        let closing = async {
            stream.write_all(b"answered").await.unwrap();
            stream.shutdown().await.unwrap();
        };
        let start = Instant::now();
        let (answer, ()) = tokio::join!(sending, closing);
        assert_eq!((&answer, start.elapsed()), (b"answered", Duration::ZERO));
    }

    #[tokio::test(start_paused = true)]
    async fn a_close_waits_for_two_seconds() {
        let (_client, mut stream, _) = pair(b"").await;
        let start = Instant::now();
        stream.shutdown().await.unwrap();
        assert_eq!(start.elapsed().as_secs(), 2);
    }

    /// Others can have the place of a client that does not close. It has as long as an idle one to read its response.
    #[tokio::test(start_paused = true)]
    async fn a_close_is_idle_from_its_beginning() {
        let (_client, mut stream, activity) = pair(b"").await;
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert_eq!(activity.idle_since(), Some(0));
        assert!(timeout(Duration::from_secs(1), stream.shutdown()).await.is_err());
        assert_eq!(activity.idle_since(), Some(3000));
    }

    #[tokio::test(start_paused = true)]
    async fn a_close_drops_at_most_one_mebibyte() {
        let (mut client, mut stream, _) = pair(b"").await;
        let sending = async {
            let mut sent = 0;
            while timeout(Duration::from_millis(1), client.write_all(&[b'x'; 1024])).await.is_ok() {
                sent += 1024;
            }
            sent
        };
        let start = Instant::now();
        let (sent, closed) = tokio::join!(sending, stream.shutdown());
        closed.unwrap();
        assert!((LINGER_BYTES..LINGER_BYTES + 16 * 1024).contains(&sent), "{sent}");
        assert!(start.elapsed() < Duration::from_secs(1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_does_not_read_is_cut() {
        let (_client, mut stream, activity) = pair(b"").await;
        let written = stream.write_all(&[b'x'; 2048]);
        tokio::pin!(written);
        assert!(timeout(Duration::from_secs(59), &mut written).await.is_err());
        assert_eq!(activity.idle_since(), None);
        let error = timeout(Duration::from_secs(2), written).await.unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
    }
}
