//! Connections of HTTP/1.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use harmony_tests::site::pipeline;
use harmony_tests::{Site, client};
use reqwest::StatusCode;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Starts a server that answers `requests` requests on each connection, and then closes it without a word before. Returns its
/// URL and the number of connections so far.
async fn closing_after(requests: usize) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let connections = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&connections);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            counter.fetch_add(1, Ordering::Relaxed);
            tokio::spawn(answer(stream, requests));
        }
    });
    (url, connections)
}

async fn answer(mut stream: TcpStream, requests: usize) {
    for _ in 0..requests {
        let (mut text, mut some) = (Vec::new(), [0; 4096]);
        // The head and the body of a POST may come apart.
        while !text.ends_with(if text.starts_with(b"POST") { &b"body"[..] } else { b"\r\n\r\n" }) {
            let Ok(count @ 1..) = stream.read(&mut some).await else { return };
            text.extend_from_slice(&some[..count]);
        }
        if stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await.is_err() {
            return;
        }
    }
}

async fn site(url: &str) -> Site {
    let backend = format!("service = \"http\"\noptions.base_url = \"{url}\"\nmax_retries = 0");
    Site::serving(&pipeline("all", "/", &backend)).await
}

/// The server closes while the connection is idle. The next request finds that out before it is sent, whatever its method.
#[tokio::test]
async fn a_closed_idle_connection_fails_no_request() {
    let (url, connections) = closing_after(1).await;
    let site = site(&url).await;
    for n in 1..=30 {
        let answer = client().post(site.url("/x")).body("body").send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "request {n}");
        assert_eq!(answer.text().await.unwrap(), "ok");
    }
    assert_eq!(connections.load(Ordering::Relaxed), 30);
}

/// One connection serves many requests, and that of a client which went away serves none.
#[tokio::test]
async fn connections_are_used_again() {
    let (url, connections) = closing_after(usize::MAX).await;
    let site = site(&url).await;
    for _ in 0..50 {
        assert_eq!(client().get(site.url("/x")).send().await.unwrap().text().await.unwrap(), "ok");
    }
    // The head of a response reaches the client a moment before its connection to the backend is kept.
    assert!(connections.load(Ordering::Relaxed) <= 2, "{connections:?}");
}

/// A backend that freezes before it has read a body is to blame, not the client.
#[tokio::test]
async fn a_frozen_handshake_is_a_gateway_timeout() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let backend = format!("service = \"http\"\noptions.base_url = \"{url}\"\ntimeout_secs = 1\n");
    let site = Site::serving(&pipeline("all", "/", &backend)).await;
    let answer = client().post(site.url("/x")).body("body").send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::GATEWAY_TIMEOUT, "{:?}", answer.text().await);
}

/// A client that goes away in the middle of a response ends the connection to the backend with it.
#[tokio::test]
async fn a_broken_off_response_ends_its_connection() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let site = site(&format!("http://{}", listener.local_addr().unwrap())).await;
    let mut client = TcpStream::connect(("127.0.0.1", site.port)).await.unwrap();
    client.write_all(b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    let (mut backend, _) = listener.accept().await.unwrap();
    let mut some = [0; 4096];
    assert!(backend.read(&mut some).await.unwrap() > 0);
    backend.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nbegin").await.unwrap();
    let mut text = String::new();
    while !text.ends_with("begin") {
        let count = client.read(&mut some).await.unwrap();
        text.push_str(&String::from_utf8_lossy(&some[..count]));
    }
    drop(client);
    let ended = tokio::time::timeout(Duration::from_secs(20), async {
        while matches!(backend.read(&mut some).await, Ok(1..)) {}
    });
    ended.await.expect("the connection to the backend is closed");
}
