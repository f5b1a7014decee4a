//! The number of streams that a server permits, read from its first frame.
//!
//! A client may send requests before it has the settings of the server (RFC 9113, section 3.4). A server that permits few streams
//! refuses what is too much, and Tomcat counts the refusals as an attack and closes the connection. hyper does not tell when the
//! settings have come, so the bytes are looked at on their way to it.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::oneshot;

/// The length of the head of a frame (RFC 9113, section 4.1).
const FRAME_HEAD_BYTES: usize = 9;

/// The length of one setting, and the longest payload of a frame that a client has not enlarged (sections 6.5.1 and 4.2).
const SETTING_BYTES: usize = 6;
const MAX_PAYLOAD_BYTES: usize = 16 * 1024;

/// The type of a SETTINGS frame, and SETTINGS_MAX_CONCURRENT_STREAMS (sections 6.5 and 6.5.2).
const SETTINGS: u8 = 4;
const MAX_CONCURRENT_STREAMS: u16 = 3;

/// A stream to a server that passes everything on, and reads the first frame with it.
#[derive(Debug)]
pub(super) struct FirstSettings<S> {
    io: S,
    /// `None` once the first frame was read.
    reading: Option<Reading>,
}

/// The beginning of the first frame.
#[derive(Debug)]
struct Reading {
    bytes: Vec<u8>,
    permitted: oneshot::Sender<usize>,
}

impl<S> FirstSettings<S> {
    /// Creates the stream. The receiver gets the number of streams that the server permits, `usize::MAX` if it sets no limit;
    /// an error if the stream ends before, or begins with something else.
    pub(super) fn new(io: S) -> (Self, oneshot::Receiver<usize>) {
        let (permitted, receiver) = oneshot::channel();
        (Self { io, reading: Some(Reading { bytes: Vec::new(), permitted }) }, receiver)
    }

    /// Takes the next bytes of the server.
    fn note(&mut self, bytes: &[u8]) {
        let Some(mut reading) = self.reading.take() else { return };
        reading.bytes.extend(bytes);
        match permitted_streams(&reading.bytes) {
            First::Incomplete => self.reading = Some(reading),
            First::Settings(permitted) => drop(reading.permitted.send(permitted)),
            First::Other => {}
        }
    }
}

/// The meaning of the first bytes of a server.
#[derive(Debug, PartialEq, Eq)]
enum First {
    Incomplete,
    Settings(usize),
    /// No settings: hyper ends the connection.
    Other,
}

/// Reads the first frame of a server.
fn permitted_streams(bytes: &[u8]) -> First {
    let Some((head, rest)) = bytes.split_first_chunk::<FRAME_HEAD_BYTES>() else { return First::Incomplete };
    let [a, b, c, kind, ..] = *head;
    let length = u32::from_be_bytes([0, a, b, c]) as usize;
    if kind != SETTINGS || length > MAX_PAYLOAD_BYTES {
        return First::Other;
    }
    let Some(payload) = rest.get(..length) else { return First::Incomplete };
    let (settings, _) = payload.as_chunks::<SETTING_BYTES>();
    // The last value of a setting counts (section 6.5.3).
    let permitted = settings.iter().rev().find_map(|[a, b, value @ ..]| {
        (u16::from_be_bytes([*a, *b]) == MAX_CONCURRENT_STREAMS).then(|| u32::from_be_bytes(*value) as usize)
    });
    First::Settings(permitted.unwrap_or(usize::MAX))
}

impl<S: AsyncRead + Unpin> AsyncRead for FirstSettings<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.io).poll_read(cx, buffer);
        if self.reading.is_some() && matches!(read, Poll::Ready(Ok(()))) {
            self.note(buffer.filled().get(before..).unwrap_or_default());
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for FirstSettings<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    /// A frame of the stream 0.
    fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        [&[length[1], length[2], length[3], kind, 0, 0, 0, 0, 0], payload].concat()
    }

    fn setting(id: u16, value: u32) -> Vec<u8> {
        [&id.to_be_bytes()[..], &value.to_be_bytes()].concat()
    }

    #[test]
    fn the_last_value_counts() {
        let payload = [setting(3, 100), setting(4, 65_535), setting(3, 5)].concat();
        assert_eq!(permitted_streams(&frame(SETTINGS, &payload)), First::Settings(5));
    }

    #[test]
    fn no_value_is_no_limit() {
        assert_eq!(permitted_streams(&frame(SETTINGS, &[])), First::Settings(usize::MAX));
        assert_eq!(permitted_streams(&frame(SETTINGS, &setting(1, 0))), First::Settings(usize::MAX));
    }

    #[test]
    fn other_frames_are_told_at_once() {
        assert_eq!(permitted_streams(&frame(0, b"data")), First::Other);
        assert_eq!(permitted_streams(b"HTTP/1.1 400 Bad Request\r\n"), First::Other);
        assert_eq!(permitted_streams(&[1, 0, 0, SETTINGS, 0, 0, 0, 0, 0]), First::Other);
    }

    /// The server ends before its settings are whole.
    #[tokio::test]
    async fn an_early_end_is_an_error() {
        let (mut server, client) = tokio::io::duplex(64);
        let (mut stream, permitted) = FirstSettings::new(client);
        server.write_all(&frame(SETTINGS, &setting(3, 5))[..10]).await.unwrap();
        drop(server);
        stream.read_to_end(&mut Vec::new()).await.unwrap();
        drop(stream);
        assert!(permitted.await.is_err());
    }

    proptest! {
        /// In whatever parts they come, the settings are read, and every byte is passed on.
        #[test]
        fn parts_are_put_together(value: u32, after in prop::collection::vec(any::<u8>(), 0..40), part in 1..30_usize) {
            let bytes = [frame(SETTINGS, &setting(3, value)), after].concat();
            let (mut stream, mut permitted) = FirstSettings::new(io::Cursor::new(bytes.clone()));
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let mut passed: Vec<u8> = Vec::new();
            runtime.block_on(async {
                let mut buffer = vec![0; part];
                loop {
                    match stream.read(&mut buffer).await.unwrap() {
                        0 => break,
                        count => passed.extend(&buffer[..count]),
                    }
                }
            });
            prop_assert_eq!(passed, bytes);
            prop_assert_eq!(permitted.try_recv().unwrap(), value as usize);
        }
    }
}
