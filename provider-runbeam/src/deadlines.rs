//! Deadlines of requests and calls.

use std::time::Duration;

/// The deadlines of requests to the control plane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Deadlines {
    /// The deadline to establish a connection, TLS handshake included. Default: 5 s.
    pub connect: Duration,
    /// The longest time without a byte of the response. Default: 10 s.
    pub read: Duration,
    /// The deadline of one request, from the connection to the last byte of the response. Default: 30 s. A call
    /// that needs several requests, such as a list of several pages, has four times as long in total.
    pub total: Duration,
    /// The interval of pings on a connection of HTTP/2 with a request in flight, and the time for their answers. A connection
    /// without one is closed. Default: 5 s.
    pub ping: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            read: Duration::from_secs(10),
            total: Duration::from_secs(30),
            ping: Duration::from_secs(5),
        }
    }
}

impl Deadlines {
    /// Returns the deadline of one call, for all its requests together.
    pub(crate) fn call(&self) -> Duration {
        self.total.saturating_mul(4)
    }
}
