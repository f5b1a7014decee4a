//! Raw bytes over TCP, for requests that no HTTP client would send.

use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// The time the peer has to close the connection. A test that reaches it fails.
const LIMIT: Duration = Duration::from_secs(20);

/// The raw response to bytes written to a socket.
#[derive(Clone, Debug)]
pub struct Raw(pub String);

impl Raw {
    /// Writes `bytes` to `port` and reads until the peer closes. The last request should have `Connection: close`.
    ///
    /// # Panics
    /// Panics if no server listens, or if the peer does not close.
    pub async fn send(port: u16, bytes: impl AsRef<[u8]>) -> Self {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.expect("a server listens");
        // A server that rejects a request may close the connection before it has read all of it.
        let _ = stream.write_all(bytes.as_ref()).await;
        Self::rest_of(&mut stream).await
    }

    /// Sends a GET request with `path` and `host` unchanged.
    ///
    /// # Panics
    /// Panics as [`send`](Self::send) does.
    pub async fn get(port: u16, host: &str, path: &str) -> Self {
        Self::send(port, format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")).await
    }

    /// Reads until the peer closes.
    ///
    /// # Panics
    /// Panics if the peer does not close.
    pub async fn rest_of(stream: &mut TcpStream) -> Self {
        let (mut all, mut some) = (Vec::new(), [0; 4096]);
        let reading = async {
            while let Ok(1..) = stream.read(&mut some).await.inspect(|n| all.extend_from_slice(&some[..*n])) {
            }
        };
        let closed = tokio::time::timeout(LIMIT, reading).await.is_ok();
        let text = String::from_utf8_lossy(&all).into_owned();
        assert!(closed, "the connection stayed open after {text:?}");
        Self(text)
    }

    /// The status of each response, in order; empty if the peer closed without a response.
    ///
    /// # Panics
    /// Panics if a status line has no status.
    pub fn statuses(&self) -> Vec<u16> {
        let lines = self.0.lines().filter_map(|line| line.strip_prefix("HTTP/1.1 "));
        lines.map(|rest| rest[..3].parse().expect("a status")).collect()
    }

    /// The status of the only response.
    ///
    /// # Panics
    /// Panics unless there is exactly one response.
    pub fn status(&self) -> u16 {
        let statuses = self.statuses();
        assert_eq!(statuses.len(), 1, "{}", self.0);
        statuses[0]
    }

    /// The head of the first response, in lower case.
    pub fn head(&self) -> String {
        self.0.split("\r\n\r\n").next().unwrap_or_default().to_ascii_lowercase()
    }

    /// The body of the only response, as on the wire.
    pub fn body(&self) -> &str {
        self.0.split_once("\r\n\r\n").map_or("", |(_, body)| body)
    }

    /// The body of the only response as JSON.
    ///
    /// # Panics
    /// Panics if it is not JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(self.body()).unwrap_or_else(|e| panic!("{e}: {}", self.0))
    }
}
