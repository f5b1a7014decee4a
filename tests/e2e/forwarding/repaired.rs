//! Heads with many headers, and responses that are not quite HTTP.

use harmony_tests::site::forward;
use harmony_tests::{Raw, RawServer, Site, Upstream};
use http::Request;
use http_body_util::Empty;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

use super::to;

/// The number of headers that the gateway takes, over HTTP/1 and HTTP/2, in requests and responses.
const MAX_HEADERS: usize = 500;

fn numbered(count: usize) -> String {
    (0..count).map(|n| format!("X-N{n}: {n}\r\n")).collect()
}

/// Sends a request with `count` headers over HTTP/2 and returns the status.
async fn over_http2(site: &Site, count: usize) -> u16 {
    let stream = TcpStream::connect(("127.0.0.1", site.port)).await.unwrap();
    let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
    let (mut sender, connection) = handshake.await.unwrap();
    tokio::spawn(connection);
    let mut request = Request::get(site.url("/api"));
    for n in 0..count {
        request = request.header(format!("x-n{n}"), n.to_string());
    }
    let answer = sender.send_request(request.body(Empty::<bytes::Bytes>::new()).unwrap()).await.unwrap();
    answer.status().as_u16()
}

#[tokio::test]
async fn the_number_of_headers_is_the_same_everywhere() {
    let upstream = Upstream::with_body("answered").await;
    let site = to(&upstream.url()).await;
    for (count, status) in [(99, 200), (101, 200), (250, 200), (MAX_HEADERS - 2, 200), (MAX_HEADERS + 1, 431)]
    {
        let (before, head) = (upstream.requests().len(), numbered(count));
        let text = format!("GET /api HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{head}\r\n");
        assert_eq!(Raw::send(site.port, text).await.status(), status, "{count} over HTTP/1");
        assert_eq!(over_http2(&site, count).await, status, "{count} over HTTP/2");
        let arrived = upstream.requests().split_off(before);
        assert_eq!(arrived.len(), if status == 200 { 2 } else { 0 }, "{count}");
        for request in arrived {
            assert_eq!(request.headers.keys().filter(|name| name.as_str().starts_with("x-n")).count(), count);
        }
    }
}

#[tokio::test]
async fn responses_have_the_same_number_of_headers() {
    for (count, status) in [(101, 200), (300, 200), (MAX_HEADERS - 2, 200), (MAX_HEADERS + 1, 502)] {
        let text =
            format!("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n{}\r\nok", numbered(count));
        let upstream = RawServer::writing(move |_| Some(text.clone())).await;
        let site = to(&upstream.url()).await;
        let answer = Raw::get(site.port, "localhost", "/api").await;
        assert_eq!(answer.status(), status, "{count}");
        let expected = if status == 200 { count } else { 0 };
        assert_eq!(answer.head().matches("\r\nx-n").count(), expected, "{count}");
    }
}

/// Returns the response of the gateway for one of a backend.
async fn repaired(head: &str, body: &str) -> Raw {
    let text = format!("HTTP/1.1 200 OK\r\n{head}\r\nConnection: close\r\n\r\n{body}");
    let upstream = RawServer::writing(move |_| Some(text.clone())).await;
    let site = Site::serving(&forward("api", "/api", &upstream.url())).await;
    Raw::get(site.port, "localhost", "/api").await
}

/// RFC 9112, sections 5.1 and 5.2: a proxy removes spaces before a colon, and joins folded lines.
#[tokio::test]
async fn repairable_responses_are_repaired() {
    for (head, line) in [
        ("Content-Length: 2\r\nX-Folded: a\r\n b\r\n\tc", "x-folded: a b c"),
        ("X-Folded:\r\n a\r\nContent-Length: 2", "x-folded: a"),
        ("Content-Length: 2\r\nX-Space : a", "x-space: a"),
        ("Content-Length : 2\r\nX-Own: a", "content-length: 2"),
        ("Content-Length: 2\r\nno colon at all\r\nX-Own: a", "x-own: a"),
        ("X-Bad: a\x01b\r\nContent-Length: 2\r\nX-Own: a", "x-own: a"),
        ("Content-Length: 2\r\nB\u{e4}d: a\r\nX-Own: a", "x-own: a"),
        ("Content-Length: 2\r\n: no name\r\nX-Own: a", "x-own: a"),
        (" X-Leading: a\r\nContent-Length: 2\r\nX-Own: a", "x-own: a"),
        ("Content-Length: 2\r\nX(Y): a\r\nX-Own: a", "x-own: a"),
    ] {
        let answer = repaired(head, "ok").await;
        assert_eq!((answer.status(), answer.body()), (200, "ok"), "{head:?}: {}", answer.0);
        let found = answer.head();
        let words = found.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
        assert!(words.into_iter().any(|found| found == line), "{head:?}: {found}");
        for bad in ["no colon", "x-bad", "a\x01", "no name", "x-leading", "x(y)", "b\u{e4}d"] {
            assert!(!found.contains(bad), "{head:?}: {found}");
        }
    }
}

/// Without its bad line about the framing, a response would be read in another way than the server wrote it.
#[tokio::test]
async fn a_bad_framing_line_is_502() {
    let chunked = "2\r\nok\r\n0\r\n\r\n";
    for (head, body) in [
        ("Transfer-Encoding: chunked\x01", chunked),
        ("Transfer-Encoding\x01: chunked\r\nContent-Length: 2", chunked),
        ("Transfer Encoding: chunked\r\nContent-Length: 2", chunked),
        ("\x0bTransfer-Encoding: chunked\r\nContent-Length: 2", chunked),
        ("X-Own: a\r\n Transfer-Encoding: chunked\r\nContent-Length: 2", chunked),
        (" Transfer-Encoding: chunked\r\nContent-Length: 2", chunked),
        ("Transfer-Encoding:\r\n chunked", chunked),
        ("Transfer-Encoding\r\nContent-Length: 2", chunked),
        ("Content-Length: 2\x01", "ok"),
        ("Content-Length: 1\r\n 0", "0123456789"),
        ("Content Length: 2", "ok"),
        ("Content-Length: 2\r\nContent-Length\x01: 3", "okk"),
        ("X-Nul: \0\r\nContent-Length: 2", "ok"),
        ("X-Return: a\rContent-Length: 2", "ok"),
    ] {
        let answer = repaired(head, body).await;
        assert_eq!(answer.status(), 502, "{head:?}: {}", answer.0);
    }
}

/// A body may have lines that are no headers.
#[tokio::test]
async fn bodies_are_not_headers() {
    let body = "Transfer-Encoding\x01: chunked\r\n\r\nContent Length: 3\r\n";
    let text = move |_: usize| {
        Some(format!(
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ))
    };
    let upstream = RawServer::writing(text).await;
    let site = to(&upstream.url()).await;
    for _ in 0..3 {
        assert_eq!(Raw::get(site.port, "localhost", "/api").await.body(), body);
    }
}
