//! A client that writes any bytes and keeps what it receives.

use std::io::ErrorKind;

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use super::stage::Activity;

/// One connection to the gateway. Dropping it resets the connection.
#[derive(Debug)]
pub(super) struct Client {
    stream: TcpStream,
    activity: Activity,
    /// The bytes that were received.
    pub(super) received: Vec<u8>,
    /// Set once the gateway has closed the connection.
    pub(super) closed: bool,
}

impl Client {
    /// Connects to the gateway at `port`.
    pub(super) async fn connect(port: u16, activity: &Activity) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).await.expect("the gateway listens");
        // Without this the ports of thousands of connections a second would stay in TIME_WAIT.
        let _ = stream.set_zero_linger();
        let _ = stream.set_nodelay(true);
        Self { stream, activity: activity.clone(), received: Vec::new(), closed: false }
    }

    /// Writes `bytes`, and receives until nothing moves any more.
    pub(super) async fn exchange(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            match self.stream.write(bytes).await {
                Ok(written) => bytes = &bytes[written..],
                Err(_) => break,
            }
            self.activity.note(1);
            self.receive();
        }
        loop {
            self.activity.settled().await;
            if !self.receive() {
                return;
            }
        }
    }

    /// Receives what has arrived. Returns whether anything has.
    fn receive(&mut self) -> bool {
        let before = self.received.len();
        let mut some = [0; 16 * 1024];
        while !self.closed {
            match self.stream.try_read(&mut some) {
                Ok(0) => self.closed = true,
                Ok(count) => self.received.extend_from_slice(&some[..count]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(_) => self.closed = true,
            }
        }
        self.received.len() > before
    }
}
