//! Connections of backends over HTTP/1 that freeze, are reset, or are closed while they are idle.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fastrand::Rng;
use harmony_tests::{read_request, until_closed_unread};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

/// The header with the number of a request.
pub(super) const NUMBER: &str = "x-soak-number";

/// The body of a response.
pub(super) const BODY: &str = "whole";

/// The longest time for which a connection stays open while it is idle, in milliseconds. The clients pause for less.
const MAX_IDLE_MILLIS: u64 = 120;

/// The time that the gateway has to close a connection which the backend has closed. It looks at idle ones every 5 s.
const CLOSING: Duration = Duration::from_secs(30);

/// The numbers of the requests that reached a backend after it had closed their connection, which the gateway could not know
/// when it sent them. Clones are the same numbers.
#[derive(Clone, Debug, Default)]
pub(super) struct Late(Arc<Mutex<HashSet<String>>>);

impl Late {
    /// Returns whether a request came too late.
    pub(super) fn has(&self, number: &str) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(number)
    }

    fn note(&self, request: &str) {
        let line = request.lines().find_map(|line| line.strip_prefix(NUMBER)?.strip_prefix(": "));
        if let Some(number) = line {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(number.to_owned());
        }
    }
}

/// Freezes at once, after the request, or in the middle of the head of the response.
pub(super) async fn freeze(mut stream: TcpStream, mut rng: Rng) {
    let step = rng.u32(..3);
    if step > 0 {
        read_request(&mut stream).await;
    }
    if step > 1 {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Le").await;
    }
    until_closed_unread(&stream).await;
}

/// Resets the connection at once, after the request, or in the middle of the head or the body of the response.
pub(super) async fn reset(mut stream: TcpStream, mut rng: Rng) {
    let step = rng.u32(..4);
    if step > 0 {
        read_request(&mut stream).await;
    }
    let begin = match step {
        2 => "HTTP/1.1 200 OK\r\nContent-Le",
        3 => "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nbegin",
        _ => "",
    };
    let _ = stream.write_all(begin.as_bytes()).await;
    // A reset takes away what the gateway has not read yet.
    sleep(Duration::from_millis(rng.u64(..10))).await;
    let _ = stream.set_zero_linger();
}

/// Answers requests, and closes the connection when it was idle for a random time.
pub(super) async fn close_idle(mut stream: TcpStream, mut rng: Rng, late: Late) {
    for count in 0.. {
        let idle = Duration::from_millis(rng.u64(1..MAX_IDLE_MILLIS));
        tokio::select! {
            // A request that has come is read.
            biased;
            _ = stream.readable() => {}
            () = sleep(idle), if count > 0 => return close(stream, &late).await,
        }
        if read_request(&mut stream).await.is_none() {
            return;
        }
        let response = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{BODY}", BODY.len());
        if stream.write_all(response.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// Closes the connection, and notes the request that comes nevertheless.
async fn close(mut stream: TcpStream, late: &Late) {
    let _ = stream.shutdown().await;
    let mut rest = Vec::new();
    let _ = timeout(CLOSING, stream.read_to_end(&mut rest)).await;
    late.note(&String::from_utf8_lossy(&rest));
}
