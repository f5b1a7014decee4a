//! Characters that do not belong into a URL, as clients send them.

use harmony_tests::site::forward;
use harmony_tests::{Raw, RawServer, Site, Upstream};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

async fn open(upstream: &Upstream) -> Site {
    Site::serving(&forward("all", "/", &upstream.url())).await
}

/// Sends a GET request with a target of any bytes.
async fn get(port: u16, target: &[u8]) -> Raw {
    let mut text = b"GET ".to_vec();
    text.extend_from_slice(target);
    text.extend_from_slice(b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    Raw::send(port, text).await
}

/// They are escaped, as RFC 3986 requires and as strict servers expect.
#[tokio::test]
async fn foreign_characters_are_escaped() {
    let upstream = Upstream::with_body("answered").await;
    let site = open(&upstream).await;
    for (target, arrived) in [
        (&b"/a<b>c"[..], "/a%3Cb%3Ec"),
        (b"/a\"b", "/a%22b"),
        (b"/a`b", "/a%60b"),
        (b"/{id}/a|b^c", "/%7Bid%7D/a%7Cb%5Ec"),
        (b"/x?q=<a>&r=\"b\"", "/x?q=%3Ca%3E&r=%22b%22"),
        (b"/x?q={\"a\":[1]}`^|\\", "/x?q=%7B%22a%22:[1]%7D%60%5E%7C%5C"),
        ("/\u{fc}ber?q=\u{fc}".as_bytes(), "/%C3%BCber?q=%C3%BC"),
        (b"/x?name=M\xfcller", "/x?name=M%FCller"),
        (b"http://localhost/a<b?c=>", "/a%3Cb?c=%3E"),
        (b"/already%3C?%22", "/already%3C?%22"),
    ] {
        let answer = get(site.port, target).await;
        assert_eq!(answer.status(), 200, "{target:?}");
        assert_eq!(upstream.last_request().uri.to_string(), arrived, "{target:?}");
    }
    // Letters of a path are UTF-8, escaped or not; a host has no such characters.
    for target in [&b"/M\xfcller"[..], b"/M%FCller", b"http://local<host/", b"/a\\b", b"/a\x7f", b"/a\x01"] {
        assert_eq!(get(site.port, target).await.status(), 400, "{target:?}");
    }
}

/// Bodies and headers arrive as they are, and the next request on the connection is found.
#[tokio::test]
async fn only_targets_are_escaped() {
    let upstream =
        RawServer::writing(|_| Some("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".to_owned())).await;
    let site = Site::serving(&forward("all", "/", &upstream.url())).await;
    let body = "GET /<body> HTTP/1.1\r\nHost: \"x\"\r\n\r\n";
    let mut stream = TcpStream::connect(("127.0.0.1", site.port)).await.unwrap();
    for n in 0..3 {
        let text = format!(
            "POST /<{n}> HTTP/1.1\r\nHost: localhost\r\nX-Own: <\"\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        // In pieces, as a slow client sends it.
        for piece in text.as_bytes().chunks(11) {
            stream.write_all(piece).await.unwrap();
            stream.flush().await.unwrap();
            tokio::task::yield_now().await;
        }
        let mut answer = Vec::new();
        while !answer.ends_with(b"ok") {
            let mut some = [0; 1024];
            let count = stream.read(&mut some).await.unwrap();
            assert!(count > 0, "{}", String::from_utf8_lossy(&answer));
            answer.extend_from_slice(&some[..count]);
        }
        assert!(answer.starts_with(b"HTTP/1.1 200"));
        let arrived = upstream.requests().pop().unwrap();
        assert!(arrived.starts_with(&format!("POST /%3C{n}%3E HTTP/1.1")), "{arrived}");
        assert!(arrived.ends_with(body) && arrived.contains("x-own: <\""), "{arrived}");
    }
}

/// A prefix covers its path in every spelling, and no other.
#[tokio::test]
async fn a_prefix_has_one_normal_form() {
    let [own, other] = [Upstream::with_body("own").await, Upstream::with_body("other").await];
    for prefix in ["/\u{fc}ber", "/%C3%BCber", "/%c3%bcber"] {
        let text = forward("own", prefix, &own.url()) + &forward("other", "/", &other.url());
        let site = Site::serving(&text).await;
        for path in ["/\u{fc}ber/x", "/%C3%BCber/x", "/%c3%bcber/x", "/%c3%BC%62er/x"] {
            assert_eq!(get(site.port, path.as_bytes()).await.body(), "own", "{prefix} {path}");
            assert_eq!(own.last_request().uri.to_string(), "/x");
        }
        for path in ["/%FCber/x", "/uber/x", "/%25C3%25BCber/x"] {
            assert_ne!(get(site.port, path.as_bytes()).await.body(), "own", "{prefix} {path}");
        }
    }
}
