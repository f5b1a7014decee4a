//! Clients that hold up their own requests while others need the places.

use std::time::Duration;

use bytes::Bytes;
use harmony_tests::site::forward;
use harmony_tests::{Upstream, client, full};
use http::Response;
use reqwest::Client;
use tokio::io::AsyncWriteExt as _;
use tokio::task::JoinSet;

use super::descriptors::{get, http2};
use super::{Process, send};

/// The number of places of a process with 512 descriptors is 160.
const CLIENTS: usize = 250;

const UPLOAD: &[u8] = b"POST /api HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n";
const DOWNLOAD: &[u8] = b"GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// The clients of one kind. Dropping them closes their connections.
async fn slow_clients(kind: &str, port: u16) -> JoinSet<()> {
    let mut clients = JoinSet::new();
    if kind == "unread streams" {
        for _ in 0..CLIENTS.div_ceil(100) {
            let sender = http2(port, 1).await;
            for _ in 0..100 {
                let mut sender = sender.clone();
                clients.spawn(async move {
                    let _ = sender.ready().await;
                    let _unread = sender.send_request(get(port, "/large")).await;
                    std::future::pending().await
                });
            }
        }
        return clients;
    }
    let head = if kind == "unread responses" { DOWNLOAD } else { UPLOAD };
    for _ in 0..CLIENTS {
        let mut stream = send(port, head).await;
        let is_dripping = kind == "dripped uploads";
        clients.spawn(async move {
            while is_dripping && stream.write_all(b"x").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            std::future::pending().await
        });
    }
    clients
}

async fn answered(client: &Client, port: u16) -> u16 {
    let url = format!("http://127.0.0.1:{port}/api");
    client.get(url).timeout(Duration::from_secs(30)).send().await.unwrap().status().as_u16()
}

/// Slow clients of any kind take neither the connections nor the connections to backends from others.
#[tokio::test]
async fn slow_clients_give_way() {
    let ordinary = Upstream::with_handler(|_| async { Response::new(full("answered")) }).await;
    let body = Bytes::from(vec![b'x'; 16 * 1024 * 1024]);
    let large = Upstream::with_handler(move |_| {
        let body = body.clone();
        async move { Response::new(full(body)) }
    })
    .await;
    let sections = forward("api", "/api", &ordinary.url()) + &forward("large", "/large", &large.url());
    for kind in ["silent uploads", "dripped uploads", "unread responses", "unread streams"] {
        let process = Process::with(&sections, "ulimit -n 512", &["--drain-secs", "0"]).await;
        let kept = client();
        assert_eq!(answered(&kept, process.port).await, 200);
        let _slow = slow_clients(kind, process.port).await;
        for _ in 0..3 {
            assert_eq!(answered(&client(), process.port).await, 200, "a new client beside {kind}");
            assert_eq!(answered(&kept, process.port).await, 200, "a present client beside {kind}");
        }
    }
}

/// Nobody is cut for being slow while there are places.
#[tokio::test]
async fn slow_clients_are_served_while_there_are_places() {
    let ordinary = Upstream::with_handler(|_| async { Response::new(full("answered")) }).await;
    let process = Process::start(&forward("api", "/api", &ordinary.url())).await;
    let mut upload =
        send(process.port, b"POST /api HTTP/1.1\r\nHost: localhost\r\nContent-Length: 20\r\n\r\n").await;
    for _ in 0..20 {
        tokio::time::sleep(Duration::from_millis(200)).await;
        upload.write_all(b"x").await.unwrap();
    }
    let mut answer = [0; 12];
    tokio::io::AsyncReadExt::read_exact(&mut upload, &mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
}
