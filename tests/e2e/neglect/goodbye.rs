//! The end of a gateway with clients that do not close their connections.

use std::time::Duration;

use harmony_tests::site::{BASE, echo, on_ports};
use harmony_tests::{Identity, Workdir, free_port, handshake};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{HTTP2_START, Process, spawn};

/// A generous limit for an exit that takes about 1 s. The deadline of the drain is 30 s.
const LIMIT: Duration = Duration::from_secs(15);

/// Returns connections that never close by themselves.
async fn neglected(process: &Process) -> Vec<TcpStream> {
    let mut open = Vec::new();
    for beginning in [
        &b""[..],
        b"P",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        HTTP2_START,
        b"GET /api HTTP/1.1\r\nHo",
        b"GET /api HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /api HTTP/1.1\r\nHost: localhost\r\n\r\nGET /ap",
    ] {
        open.push(process.send(beginning).await);
        let mut half = process.send(beginning).await;
        half.shutdown().await.unwrap();
        open.push(half);
    }
    // The answer arrives, and the connection is idle.
    let mut answer = [0; 15];
    open[10].read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200 OK");
    open
}

#[tokio::test]
async fn idle_clients_do_not_delay_the_exit() {
    let mut process = Process::start(&echo("api", "/api")).await;
    let open = neglected(&process).await;
    process.gateway.signal("TERM").await;
    let code = timeout(LIMIT, process.gateway.exit_code()).await;
    assert_eq!(code.expect("the gateway waits for idle clients"), 0, "{}", process.gateway.log());
    drop(open);
}

#[tokio::test]
async fn http_2_clients_get_goaway() {
    let mut process = Process::start(&echo("api", "/api")).await;
    let mut stream = process.send(HTTP2_START).await;
    // The settings of the gateway say that it serves the connection.
    stream.read_u8().await.unwrap();
    process.gateway.signal("TERM").await;
    let mut rest = Vec::new();
    timeout(LIMIT, stream.read_to_end(&mut rest)).await.expect("the connection ends").unwrap();
    let mut frames = &[&[0], &rest[..]].concat()[..];
    let mut kinds = Vec::new();
    while let [a, b, c, kind, ..] = frames {
        kinds.push(*kind);
        let length = u32::from_be_bytes([0, *a, *b, *c]) as usize;
        frames = &frames[(9 + length).min(frames.len())..];
    }
    assert!(kinds.contains(&7), "no GOAWAY among the frames {kinds:?}");
    assert_eq!(process.gateway.exit_code().await, 0);
}

/// Requests in flight have one deadline together, whatever their clients do.
#[tokio::test]
async fn stalled_requests_end_at_the_deadline() {
    let mut process = Process::with(&echo("api", "/api"), "true", &["--drain-secs", "2"]).await;
    let mut open = neglected(&process).await;
    for framing in ["Content-Length: 100000\r\n\r\nx", "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n"] {
        let request = format!("POST /api HTTP/1.1\r\nHost: localhost\r\n{framing}");
        open.push(process.send(request.as_bytes()).await);
    }
    // Requests in flight are counted when the head was read; this one is answered after them.
    open.push(process.send(b"GET /api HTTP/1.1\r\nHost: localhost\r\n\r\n").await);
    open.last_mut().unwrap().read_u8().await.unwrap();
    process.gateway.signal("TERM").await;
    let code = timeout(LIMIT, process.gateway.exit_code()).await.expect("the deadline is 2 s");
    assert_eq!(code, 6, "{}", process.gateway.log());
}

#[tokio::test]
async fn tls_clients_do_not_delay_the_exit() {
    let identity = Identity::new();
    let tls = "bind_port = PORT\ncert_path = \"tls/cert.pem\"\nkey_path = \"tls/key.pem\"\n";
    let config = format!("{}{}", BASE.replace("bind_port = PORT\n", tls), echo("api", "/api"));
    let (port, admin) = (free_port(), free_port());
    let dir = Workdir::with([
        ("config.toml", on_ports(&config, port, admin)),
        ("tls/cert.pem", identity.cert.clone()),
        ("tls/key.pem", identity.key.clone()),
    ]);
    let mut gateway = spawn(&dir, "true", &[], &[]);
    gateway.wait_until_ready().await;
    let silent = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let idle = [
        handshake(port, &[&identity], &["h2"]).await.unwrap(),
        handshake(port, &[&identity], &["http/1.1"]).await.unwrap(),
    ];
    gateway.signal("TERM").await;
    let code = timeout(LIMIT, gateway.exit_code()).await;
    assert_eq!(code.expect("the gateway waits for idle clients"), 0, "{}", gateway.log());
    drop((silent, idle));
}
