//! Detection of the HTTP version on a connection without TLS.

use std::io;
use std::time::Duration;

use http::Version;
use tokio::net::TcpStream;

/// The first bytes of an HTTP/2 connection (RFC 9113, section 3.4).
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The wait before the next look at a partial preface. `peek` leaves the bytes in the socket, so the socket stays
/// ready and cannot signal that more have arrived.
const PEEK_INTERVAL: Duration = Duration::from_millis(5);

/// Returns the HTTP version of the client, by its first bytes, without consuming them. It has no deadline of its own;
/// the caller sets one.
///
/// # Errors
/// `UnexpectedEof` for a connection that ends before its version is known, or the error of the socket.
pub(super) async fn version(stream: &TcpStream) -> io::Result<Version> {
    let mut first = [0; PREFACE.len()];
    loop {
        let seen = stream.peek(&mut first).await?;
        match first.get(..seen) {
            None | Some([]) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Some(bytes) if bytes == PREFACE => return Ok(Version::HTTP_2),
            Some(bytes) if PREFACE.starts_with(bytes) => tokio::time::sleep(PEEK_INTERVAL).await,
            Some(_) => return Ok(Version::HTTP_11),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt as _;
    use tokio::net::TcpListener;

    use super::*;

    async fn detect(parts: &[&[u8]]) -> io::Result<Version> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (server, _) = listener.accept().await.unwrap();
        let sending = async {
            for part in parts {
                client.write_all(part).await.unwrap();
                tokio::task::yield_now().await;
            }
            client.shutdown().await.unwrap();
        };
        tokio::join!(version(&server), sending).0
    }

    #[tokio::test]
    async fn version_is_detected_in_split_reads() {
        assert_eq!(detect(&[b"GET / HTTP/1.1\r\n"]).await.unwrap(), Version::HTTP_11);
        assert_eq!(detect(&[b"P", b"OST / HTTP/1.1\r\n"]).await.unwrap(), Version::HTTP_11);
        assert_eq!(detect(&[b"PRI * HT", b"TP/2.0\r\n\r\nSM\r\n\r\n"]).await.unwrap(), Version::HTTP_2);
        assert!(detect(&[]).await.is_err());
    }
}
