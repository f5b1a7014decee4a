//! The HTTP version of a connection without TLS.

use std::io;
use std::time::Duration;

use http::Version;
use tokio::net::TcpStream;

/// What an HTTP/2 connection without TLS starts with (RFC 9113, section 3.4).
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// How long to wait for the rest of a preface that has begun: looking does not take bytes off the socket, so
/// nothing tells when more have come.
const PAUSE: Duration = Duration::from_millis(5);

/// The version that a client without TLS speaks, by its first bytes, which stay to be read. Waits for them
/// as long as it is let.
///
/// # Errors
/// When the connection ends before that can be told.
pub(super) async fn version(stream: &TcpStream) -> io::Result<Version> {
    let mut first = [0; PREFACE.len()];
    loop {
        let seen = stream.peek(&mut first).await?;
        match first.get(..seen) {
            None | Some([]) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Some(bytes) if bytes == PREFACE => return Ok(Version::HTTP_2),
            Some(bytes) if PREFACE.starts_with(bytes) => tokio::time::sleep(PAUSE).await,
            Some(_) => return Ok(Version::HTTP_11),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt as _;
    use tokio::net::TcpListener;

    use super::*;

    async fn told(parts: &[&[u8]]) -> io::Result<Version> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (server, _) = listener.accept().await.unwrap();
        let telling = async {
            for part in parts {
                client.write_all(part).await.unwrap();
                tokio::task::yield_now().await;
            }
            client.shutdown().await.unwrap();
        };
        tokio::join!(version(&server), telling).0
    }

    #[tokio::test]
    async fn the_first_bytes_tell_the_version_however_they_arrive() {
        assert_eq!(told(&[b"GET / HTTP/1.1\r\n"]).await.unwrap(), Version::HTTP_11);
        assert_eq!(told(&[b"P", b"OST / HTTP/1.1\r\n"]).await.unwrap(), Version::HTTP_11);
        assert_eq!(told(&[b"PRI * HT", b"TP/2.0\r\n\r\nSM\r\n\r\n"]).await.unwrap(), Version::HTTP_2);
        assert!(told(&[]).await.is_err());
    }
}
