//! The framing headers of responses.

use harmony_tests::site::forward;
use harmony_tests::{Raw, RawServer, Site};

/// Sends a request to a backend that answers with `head` and `body`, and returns the answer of the gateway.
async fn answered(method: &str, head: &str, body: &str) -> Raw {
    let text = format!("HTTP/1.1 200 OK\r\n{head}\r\nConnection: close\r\n\r\n{body}");
    let upstream = RawServer::writing(move |_| Some(text.clone())).await;
    let site = Site::serving(&forward("all", "/", &upstream.url())).await;
    Raw::send(site.port, format!("{method} / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")).await
}

/// Without Transfer-Encoding, which is for one connection, the client could not tell that the body is compressed.
#[tokio::test]
async fn a_coded_response_is_502() {
    let body = "3\r\n\x1f\x08\x01\r\n0\r\n\r\n";
    for coding in [
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked, gzip",
        "Transfer-Encoding: deflate",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: chunked, chunked",
    ] {
        let answer = answered("GET", coding, body).await;
        assert_eq!(answer.status(), 502, "{coding}");
        assert!(!answer.0.contains('\x1f'), "{coding}");
    }
    assert_eq!(answered("GET", "Transfer-Encoding: Chunked", "2\r\nok\r\n0\r\n\r\n").await.status(), 200);
}

#[tokio::test]
async fn equal_lengths_become_one() {
    for lengths in ["Content-Length: 2\r\nContent-Length: 2", "Content-Length: 2, 2"] {
        let answer = answered("GET", lengths, "ok").await;
        let head = answer.head();
        assert_eq!((answer.status(), answer.body()), (200, "ok"), "{lengths}");
        assert!(head.contains("content-length: 2") && !head.contains("2, 2"), "{head}");
        assert_eq!(head.matches("content-length").count(), 1, "{head}");
    }
    for lengths in ["Content-Length: 2\r\nContent-Length: 3", "Content-Length: x", "Content-Length: 2, 1"] {
        assert_eq!(answered("GET", lengths, "ok").await.status(), 502, "{lengths}");
        // The response to a HEAD has no body, and a wrong length is left out.
        let answer = answered("HEAD", lengths, "").await;
        assert!(answer.status() == 200 && !answer.head().contains("content-length"), "{}", answer.0);
    }
}
