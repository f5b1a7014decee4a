//! Connections without a whole request.

use std::io::ErrorKind;
use std::time::Duration;

use harmony_tests::Site;
use harmony_tests::site::echo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{HTTP2_START, Process, send, status};

/// The beginnings of connections, cut where an HTTP version is not known yet.
const BEGINNINGS: [&[u8]; 6] =
    [b"", b"P", b"PRI", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", HTTP2_START];

/// The end of a connection is seen behind any beginning, also while 64 of them would fill the management network.
#[tokio::test]
async fn closed_beginnings_are_closed() {
    let process = Process::start(&echo("api", "/api")).await;
    let before = process.descriptors();
    for port in [process.port, process.admin] {
        for n in 0..300 {
            drop(send(port, BEGINNINGS[n % BEGINNINGS.len()]).await);
        }
        assert_eq!(status(process.admin, "/admin/health").await, 200);
        assert_eq!(status(process.port, "/api").await, 200);
        process.wait_for_descriptors(before + 4).await;
    }
}

/// Open connections without a request do not keep others out of the management network.
#[tokio::test]
async fn open_beginnings_give_way() {
    let process = Process::start(&echo("api", "/api")).await;
    let beginnings = [&BEGINNINGS[..], &[b"GET / HT", b"GET /admin/health HTTP/1.1\r\nHost: local"]].concat();
    for beginning in beginnings {
        let mut open = Vec::new();
        for _ in 0..100 {
            open.push(send(process.admin, beginning).await);
        }
        assert_eq!(status(process.admin, "/admin/health").await, 200, "{beginning:?}");
    }
}

/// A connection with a request in flight is not closed for another one.
#[tokio::test]
async fn requests_in_flight_do_not_give_way() {
    let process = Process::start(&echo("api", "/api")).await;
    let head = b"POST /admin/authorize HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{";
    let mut in_flight = send(process.admin, head).await;
    let mut silent = Vec::new();
    for _ in 0..100 {
        silent.push(send(process.admin, b"P").await);
    }
    assert_eq!(status(process.admin, "/admin/health").await, 200);
    in_flight.write_all(b"}").await.unwrap();
    let mut answer = [0; 9];
    in_flight.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 ");
}

/// An idle connection, and one with a part of a head, are closed after `client_idle_timeout_secs`; a change is live for new
/// connections.
#[tokio::test]
async fn idle_connections_are_closed_in_time() {
    let site = Site::serving(&echo("api", "/api")).await;
    let patient = send(site.port, b"GET /api HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let config = site.dir.read("config.toml");
    site.dir.write(
        "config.toml",
        &config.replace("id = \"site\"", "id = \"site\"\nclient_idle_timeout_secs = 1"),
    );
    site.host.reload().await.unwrap();
    for beginning in [
        &b""[..],
        b"GET / HT",
        b"GET /api HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /api HTTP/1.1\r\nHost: a\r\n\r\nGET /a",
    ] {
        let mut idle = send(site.port, beginning).await;
        let closed = tokio::time::timeout(Duration::from_secs(20), async {
            let mut some = [0; 4096];
            while matches!(idle.read(&mut some).await, Ok(1..)) {}
        });
        assert!(closed.await.is_ok(), "{beginning:?}");
    }
    // Connections keep the settings that they began with.
    let mut some = [0; 4096];
    assert!(patient.try_read(&mut some).unwrap() > 0);
    assert!(patient.try_read(&mut some).is_err_and(|error| error.kind() == ErrorKind::WouldBlock));
}
