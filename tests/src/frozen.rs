//! The connection of a server that has frozen.

use std::time::Duration;

use tokio::io::Interest;
use tokio::net::TcpStream;

/// The interval of the looks at the connection: one with unread bytes is readable all the time.
const INTERVAL: Duration = Duration::from_millis(100);

/// Waits until the peer closes the connection, and reads nothing that it sends.
pub async fn until_closed_unread(stream: &TcpStream) {
    while stream.ready(Interest::READABLE).await.is_ok_and(|ready| !ready.is_read_closed()) {
        tokio::time::sleep(INTERVAL).await;
    }
}
