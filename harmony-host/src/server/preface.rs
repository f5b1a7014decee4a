//! The first bytes of a connection without TLS, which show the HTTP version.

use std::io::{self, ErrorKind};
use std::time::Duration;

use http::Version;
use tokio::io::{AsyncRead, AsyncReadExt as _, ReadBuf};
use tokio::time::{Instant, timeout_at};

/// The first bytes of an HTTP/2 connection (RFC 9113, section 3.4).
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The deadline for the rest of a preface that has begun. A client sends it in one piece, so a slower one is broken or
/// hostile.
const REST_TIMEOUT: Duration = Duration::from_secs(10);

/// Bytes that were read from a connection to detect its version. The HTTP server reads them again.
///
/// The bytes are read, not peeked: bytes that stay in the socket hide the end of the connection behind them, and keep the
/// socket ready, so that a wait for more of them is a loop.
#[derive(Debug, Default)]
pub(super) struct FirstBytes {
    bytes: [u8; PREFACE.len()],
    /// The number of bytes that were read, and the number of those that were given back.
    read: usize,
    given: usize,
}

impl FirstBytes {
    /// Reads until the HTTP version is known. `deadline` limits the wait for the first byte.
    ///
    /// # Errors
    /// `UnexpectedEof` for a connection that ends before its version is known, `TimedOut` for a silent one, or the error
    /// of the connection.
    pub(super) async fn read(
        stream: &mut (impl AsyncRead + Unpin),
        deadline: Duration,
    ) -> io::Result<(Version, Self)> {
        let mut first = Self::default();
        first.read_more(stream, Instant::now() + deadline).await?;
        let deadline = Instant::now() + REST_TIMEOUT;
        while first.seen() != PREFACE {
            if !PREFACE.starts_with(first.seen()) {
                return Ok((Version::HTTP_11, first));
            }
            first.read_more(stream, deadline).await?;
        }
        Ok((Version::HTTP_2, first))
    }

    async fn read_more(
        &mut self,
        stream: &mut (impl AsyncRead + Unpin),
        deadline: Instant,
    ) -> io::Result<()> {
        let room = self.bytes.get_mut(self.read..).unwrap_or_default();
        match timeout_at(deadline, stream.read(room)).await {
            Ok(Ok(0)) => Err(ErrorKind::UnexpectedEof.into()),
            Ok(Ok(count)) => {
                self.read += count;
                Ok(())
            }
            Ok(Err(error)) => Err(error),
            Err(_) => Err(ErrorKind::TimedOut.into()),
        }
    }

    fn seen(&self) -> &[u8] {
        self.bytes.get(..self.read).unwrap_or_default()
    }

    /// Gives back as many of the bytes as `buffer` has room for. Returns false if there are no more.
    pub(super) fn give(&mut self, buffer: &mut ReadBuf<'_>) -> bool {
        let rest = self.bytes.get(self.given..self.read).unwrap_or_default();
        let count = rest.len().min(buffer.remaining());
        buffer.put_slice(rest.get(..count).unwrap_or_default());
        self.given += count;
        count > 0
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt as _;

    use super::*;

    async fn detect(parts: &[&[u8]]) -> io::Result<(Version, Vec<u8>)> {
        let (mut client, mut server) = tokio::io::duplex(64);
        let sending = async move {
            for part in parts {
                client.write_all(part).await.unwrap();
                tokio::task::yield_now().await;
            }
        };
        let (read, ()) = tokio::join!(FirstBytes::read(&mut server, Duration::from_secs(60)), sending);
        let (version, mut first) = read?;
        let (mut all, mut some) = (Vec::new(), [0; 5]);
        loop {
            let mut buffer = ReadBuf::new(&mut some);
            if !first.give(&mut buffer) {
                return Ok((version, all));
            }
            all.extend_from_slice(buffer.filled());
        }
    }

    #[tokio::test]
    async fn version_is_detected_in_split_reads() {
        let h1 = |bytes: &[u8]| (Version::HTTP_11, bytes.to_vec());
        assert_eq!(detect(&[b"GET / HTTP/1.1\r\n"]).await.unwrap(), h1(b"GET / HTTP/1.1\r\n"));
        assert_eq!(detect(&[b"P", b"OST / HTTP/1.1\r\n"]).await.unwrap(), h1(b"POST / HTTP/1.1\r\n"));
        assert_eq!(detect(&[b"PRI * HTTP/2.0\r\n\r\nSN"]).await.unwrap(), h1(b"PRI * HTTP/2.0\r\n\r\nSN"));
        let parts: [&[u8]; 2] = [b"PRI * HT", b"TP/2.0\r\n\r\nSM\r\n\r\n"];
        assert_eq!(detect(&parts).await.unwrap(), (Version::HTTP_2, PREFACE.to_vec()));
    }

    /// The end of a connection is seen behind any part of a preface.
    #[tokio::test]
    async fn the_end_is_seen_behind_a_part() {
        for part in [&b""[..], b"P", b"PRI", &PREFACE[..23]] {
            assert_eq!(detect(&[part]).await.unwrap_err().kind(), ErrorKind::UnexpectedEof, "{part:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn silent_clients_time_out() {
        for part in [&b""[..], b"PRI * "] {
            let (mut client, mut server) = tokio::io::duplex(64);
            client.write_all(part).await.unwrap();
            let read = FirstBytes::read(&mut server, Duration::from_secs(60)).await;
            assert_eq!(read.unwrap_err().kind(), ErrorKind::TimedOut, "{part:?}");
        }
    }
}
