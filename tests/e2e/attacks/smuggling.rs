//! Request smuggling: requests that the gateway and the upstream could interpret differently.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use harmony_tests::site::{forward, ingress};
use harmony_tests::{Raw, RawServer, Site, Upstream};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::{open, paths};

/// The bytes after every attack on the same connection, which must never be handled as a request.
const MARKER: &str = "GET /marker HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

const SMUGGLED: &str = "GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// A request with ambiguous framing is rejected, and its connection is closed.
#[tokio::test]
async fn ambiguous_requests_are_400_and_close() {
    let upstream = Upstream::with_body("answered").await;
    let site = open(&upstream).await;
    let chunk = "0\r\n\r\n";
    for (attack, body) in [
        ("Content-Length: 3\r\nContent-Length: 4", "abcd"),
        ("Content-Length: 3, 4", "abcd"),
        ("Content-Length: +4", "abcd"),
        ("Content-Length: 0x4", "abcd"),
        ("Content-Length: -4", "abcd"),
        ("Content-Length: ", "abcd"),
        ("Content-Length: 99999999999999999999999", "abcd"),
        ("Content-Length : 4", "abcd"),
        ("Transfer-Encoding : chunked", chunk),
        ("Transfer-Encoding: identity", chunk),
        ("Transfer-Encoding: xchunked", chunk),
        ("Transfer-Encoding: chunked, identity", chunk),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", chunk),
        ("Transfer-Encoding: \"chunked\"", chunk),
        ("Transfer-Encoding:\x0bchunked", chunk),
        ("X-Folded: a\r\n b", ""),
        ("X-Folded: a\r\n\tContent-Length: 4", "abcd"),
        (" X-Leading: space", ""),
        ("X-Return: a\rContent-Length: 4", ""),
        ("X-Nul: a\0b", ""),
        ("No colon at all", ""),
        (": no name", ""),
        ("Näme: x", ""),
    ] {
        let text = format!("POST /first HTTP/1.1\r\nHost: localhost\r\n{attack}\r\n\r\n{body}{MARKER}");
        let answer = Raw::send(site.port, text).await;
        assert!(matches!(answer.statuses()[..], [] | [400]), "{attack:?}: {}", answer.0);
        assert_eq!(paths(&upstream), [""; 0], "{attack:?}");
    }
}

#[tokio::test]
async fn a_missing_or_invalid_host_is_400() {
    let upstream = Upstream::with_body("answered").await;
    let site = open(&upstream).await;
    for hosts in [
        "",
        "Host: \r\n",
        "Host: localhost\r\nHost: localhost\r\n",
        "Host: localhost\r\nHost: evil.example\r\n",
        "Host: localhost, evil.example\r\n",
        "Host: a b\r\n",
        "Host: localhost/path\r\n",
        "Host: user@localhost\r\n",
        "Host: localhost?x\r\n",
        "Host: http://localhost\r\n",
        "Host: loc\u{e4}lhost\r\n",
    ] {
        let text = format!("GET /first HTTP/1.1\r\n{hosts}Connection: close\r\n\r\n");
        assert_eq!(Raw::send(site.port, text).await.statuses(), [400], "{hosts:?}");
    }
    for target in
        ["http://user@localhost/x", "http://user:pass@localhost/x", "http://localhost@evil.example/"]
    {
        let text = format!("GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        assert_eq!(Raw::send(site.port, text).await.statuses(), [400], "{target}");
    }
    for line in ["GET /a b HTTP/1.1", "GET /x HTTP/2.0", "GET /x", "G\0T /x HTTP/1.1", "GET  x HTTP/1.1"] {
        let text = format!("{line}\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        assert!(matches!(Raw::send(site.port, text).await.statuses()[..], [] | [400]), "{line:?}");
    }
    assert_eq!(paths(&upstream), [""; 0]);
}

/// RFC 9112, section 3.2, requires 400 for an invalid Host. An invalid port must not be read as the default port.
#[tokio::test]
async fn a_host_with_an_invalid_port_is_400() {
    let upstream = Upstream::with_body("answered").await;
    let text = forward("api", "/api", &upstream.url())
        + &ingress("api", "in", "http://api.example.com/r4", "default");
    let site = Site::serving(&text).await;
    for host in
        ["api.example.com:http", "api.example.com:8o", "api.example.com:65616", "api.example.com:80:80"]
    {
        assert_eq!(Raw::get(site.port, host, "/r4").await.status(), 400, "{host}");
    }
    assert_eq!(paths(&upstream), [""; 0]);
}

#[tokio::test]
async fn no_request_is_smuggled_in_a_body() {
    let n = SMUGGLED.len();
    let long = format!("{n:x}\r\n{SMUGGLED}\r\n0\r\n\r\n");
    for (headers, body) in [
        ("Content-Length: 4\r\nTransfer-Encoding: chunked", format!("0\r\n\r\n{SMUGGLED}")),
        ("Transfer-Encoding: chunked\r\nContent-Length: 4", format!("0\r\n\r\n{SMUGGLED}")),
        ("Content-Length: 4\r\nTransfer-Encoding: chunked", long.clone()),
        ("Transfer-Encoding: Chunked\r\nContent-Length: 4", long.clone()),
        ("Transfer-Encoding: chunked", format!("2;\nxx\r\n{n:x}\r\n{SMUGGLED}0\r\n\r\n")),
        ("Transfer-Encoding: chunked", format!("0x0\r\n\r\n{SMUGGLED}")),
        ("Transfer-Encoding: chunked", format!("+0\r\n\r\n{SMUGGLED}")),
        ("Transfer-Encoding: chunked", format!("\r\n0\r\n\r\n{SMUGGLED}")),
        ("Transfer-Encoding: chunked", format!("10000000000000000\r\n\r\n{SMUGGLED}")),
        ("Transfer-Encoding: chunked", format!("1\r\nab\r\n0\r\n\r\n{SMUGGLED}")),
        ("Transfer-Encoding: chunked", format!("1\r\na\n\r0\r\n\r\n{SMUGGLED}")),
        ("Content-Length: 0\r\nX: a\nTransfer-Encoding: chunked", format!("0\r\n\r\n{SMUGGLED}")),
    ] {
        let upstream = Upstream::with_body("answered").await;
        let site = open(&upstream).await;
        let text = format!("POST /first HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n\r\n{body}{MARKER}");
        Raw::send(site.port, text).await;
        let paths = paths(&upstream);
        assert!(paths.is_empty() || paths == ["/first"], "{headers:?} {body:?}: {paths:?}");
    }
}

#[tokio::test]
async fn only_one_framing_header_is_forwarded() {
    for headers in
        ["Content-Length: 4\r\nTransfer-Encoding: chunked", "Transfer-Encoding: chunked\r\nContent-Length: 4"]
    {
        let upstream =
            RawServer::writing(|_| Some("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".into())).await;
        let site = Site::serving(&forward("all", "/", &upstream.url())).await;
        let text = format!(
            "POST / HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n\r\n6\r\nwhole!\r\n0\r\n\r\n{MARKER}"
        );
        let answer = Raw::send(site.port, text).await;
        if let [arrived] = upstream.requests().as_slice() {
            let lower = arrived.to_ascii_lowercase();
            assert!(arrived.contains("whole!"), "{arrived}");
            assert_ne!(lower.contains("content-length"), lower.contains("transfer-encoding"), "{arrived}");
        } else {
            assert_eq!(answer.statuses(), [400], "{headers}");
        }
    }
}

/// RFC 9112, section 6.1, asks for 501 for an unknown transfer coding. If the gateway removed the header without
/// decoding, the upstream would read compressed bytes as the content.
#[tokio::test]
async fn unknown_transfer_codings_are_rejected() {
    let upstream = Upstream::with_body("answered").await;
    let site = open(&upstream).await;
    for coding in ["gzip, chunked", "gzip\r\nTransfer-Encoding: chunked", "identity, chunked"] {
        let text = format!(
            "POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: {coding}\r\nConnection: close\r\n\r\n"
        );
        let answer = Raw::send(site.port, text + "3\r\n\x1f\x08\x01\r\n0\r\n\r\n").await;
        assert!(matches!(answer.statuses()[..], [400 | 501]), "{coding}: {}", answer.0);
    }
    assert_eq!(paths(&upstream), [""; 0]);
}

/// Starts a backend that answers each head at once, and reads on. Returns its URL, and all that it has read.
async fn answering_early() -> (String, Arc<Mutex<String>>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let seen: Arc<Mutex<String>> = Arc::default();
    let all = Arc::clone(&seen);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let all = Arc::clone(&all);
            tokio::spawn(async move {
                let (mut some, mut is_answered) = ([0; 4096], false);
                while let Ok(count @ 1..) = stream.read(&mut some).await {
                    all.lock().unwrap().push_str(&String::from_utf8_lossy(&some[..count]));
                    if !std::mem::replace(&mut is_answered, true) {
                        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
                        stream.write_all(answer).await.unwrap();
                    }
                }
            });
        }
    });
    (url, seen)
}

/// A connection whose request body is not over keeps its place in the body, however long the client waits: what follows is no
/// request, also after the time at which idle connections give up their buffers.
#[tokio::test]
async fn the_rest_of_a_body_is_no_request_after_a_pause() {
    let (url, seen) = answering_early().await;
    let site = Site::serving(&forward("all", "/", &url)).await;
    for (framing, start) in
        [("Content-Length: 1000", "start"), ("Transfer-Encoding: chunked", "3e8\r\nstart")]
    {
        let mut client = TcpStream::connect(("127.0.0.1", site.port)).await.unwrap();
        let head = format!("POST /upload HTTP/1.1\r\nHost: localhost\r\n{framing}\r\n\r\n{start}");
        client.write_all(head.as_bytes()).await.unwrap();
        let mut some = [0; 1024];
        let count = client.read(&mut some).await.unwrap();
        assert!(some[..count].starts_with(b"HTTP/1.1 200 OK\r\n"), "{framing}");
        // The pause is the attack: idle connections rest after a second.
        tokio::time::sleep(Duration::from_secs(2)).await;
        client.write_all(SMUGGLED.as_bytes()).await.unwrap();
        let answer = Raw::rest_of(&mut client).await;
        assert_eq!(answer.statuses(), [0; 0], "{framing}: {}", answer.0);
    }
    let seen = seen.lock().unwrap();
    assert_eq!(seen.matches("POST /upload").count(), 2);
    // As a request it would have the headers that the gateway writes.
    assert!(!seen.contains("GET /smuggled HTTP/1.1\r\nhost:"), "{seen}");
}
