//! Request bodies that do not end, behind a response that did.

use harmony_tests::site::{BASE, echo, forward};
use harmony_tests::{Raw, Site};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::Process;

/// A backend that answers each request after its head, and neither reads the body nor closes.
async fn early(response: &'static str) -> (String, JoinHandle<()>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let serving = tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let (mut head, mut some) = (Vec::new(), [0; 1024]);
                while !head.windows(4).any(|end| end == b"\r\n\r\n") {
                    let Ok(count @ 1..) = stream.read(&mut some).await else { return };
                    head.extend_from_slice(&some[..count]);
                }
                let _ = stream.write_all(response.as_bytes()).await;
                // The end of the connection, once the gateway closes it.
                while let Ok(1..) = stream.read(&mut some).await {}
            });
        }
    });
    (url, serving)
}

/// Reads the head of a response.
async fn head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap().to_lowercase()
}

/// A backend that answers and closes in the middle of a large body: the answer counts, not the failed write.
#[tokio::test]
async fn the_answer_of_a_backend_that_closes_is_passed_on() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let _backend = tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut some = [0; 1024];
            let _ = stream.read(&mut some).await;
            let _ = stream.write_all(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno").await;
        }
    });
    let process = Process::start(&forward("api", "/api", &url)).await;
    for size in [100_000, 1_000_000, 5_000_000] {
        for _ in 0..20 {
            let request = format!(
                "POST /api HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {size}\r\n\r\n"
            );
            let answer = Raw::send(process.port, request + &"x".repeat(size)).await;
            assert_eq!((answer.status(), answer.body()), (401, "no"), "{size}: {}", answer.0);
        }
    }
}

/// Clients that send a part of a body and keep their connection open do not keep descriptors.
#[tokio::test]
async fn uploads_end_after_their_response() {
    for (response, announced) in [
        ("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n", true),
        ("HTTP/1.1 500 Internal Server Error\r\nContent-Length: 2\r\n\r\nno", true),
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", false),
    ] {
        let (url, _backend) = early(response).await;
        let process = Process::start(&forward("api", "/api", &url)).await;
        let before = process.descriptors();
        let mut open = Vec::new();
        for framing in ["Content-Length: 100000\r\n\r\nx", "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n"] {
            for _ in 0..50 {
                let request = format!("POST /api HTTP/1.1\r\nHost: localhost\r\n{framing}");
                open.push(process.send(request.as_bytes()).await);
            }
        }
        for stream in &mut open {
            let head = head(stream).await;
            assert_eq!(head.contains("connection: close"), announced, "{head}");
        }
        process.wait_for_descriptors(before + 4).await;
    }
}

/// The echo answers before the end of a large body, and does not wait for the rest.
#[tokio::test]
async fn the_echo_leaves_no_upload_behind() {
    let process = Process::start(&echo("api", "/api")).await;
    let before = process.descriptors();
    let request = format!(
        "POST /api HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10000000\r\n\r\n{}",
        "x".repeat(70_000)
    );
    let mut open = Vec::new();
    for _ in 0..50 {
        open.push(process.send(request.as_bytes()).await);
    }
    for stream in &mut open {
        assert!(head(stream).await.contains("connection: close"));
    }
    process.wait_for_descriptors(before + 4).await;
}

/// The rest of a body that nobody reads is dropped, and the connection serves the next request.
#[tokio::test]
async fn a_small_rest_keeps_the_connection() {
    let site = Site::serving(&echo("api", "/api")).await;
    let refused = "POST /none HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nnot read.";
    let last = "GET /api HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let answers = Raw::send(site.port, format!("{refused}{refused}{last}")).await;
    assert_eq!(answers.statuses(), [404, 404, 200]);
}

/// A limit in the middle of a body is an error of the request, also for the echo.
#[tokio::test]
async fn the_echo_keeps_to_the_size_limit() {
    let config = format!("{BASE}[proxy.content_limits]\nmax_body_size = 1024\n{}", echo("api", "/api"));
    let site = Site::with(&config, harmony_tests::Workdir::new()).await;
    let body = "x".repeat(2000);
    for framing in [
        format!("Content-Length: 2000\r\n\r\n{body}"),
        format!("Transfer-Encoding: chunked\r\n\r\n7d0\r\n{body}\r\n0\r\n\r\n"),
    ] {
        let request = format!("POST /api HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{framing}");
        assert_eq!(Raw::send(site.port, request).await.status(), 413, "{framing}");
    }
}
