//! Streaming: bodies are forwarded chunk by chunk in both directions.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use futures_util::{Stream, TryStreamExt as _, stream};
use harmony_tests::site::{BASE, forward};
use harmony_tests::{Gateway, Raw, Upstream, Workdir, client, free_port, full, site};
use http::{Response, StatusCode};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Frame, Incoming};
use reqwest::{Body, Client};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::{http2, to};

fn chunks(receiver: Receiver<&'static str>) -> impl Stream<Item = std::io::Result<Bytes>> + Send + Sync {
    stream::unfold(receiver, |mut receiver| async move {
        let chunk = receiver.recv().await?;
        Some((Ok(Bytes::from(chunk)), receiver))
    })
}

/// A body of the chunks that are sent on a channel.
pub(super) fn chunked(receiver: Receiver<&'static str>) -> BoxBody<Bytes, std::io::Error> {
    BodyExt::boxed(StreamBody::new(chunks(receiver).map_ok(Frame::data)))
}

fn clients() -> [Client; 2] {
    [client(), http2()]
}

/// Sends every chunk of a request's body to `arrived`.
async fn forward_chunks(mut body: Incoming, arrived: Sender<Bytes>) {
    while let Some(Ok(frame)) = body.frame().await {
        let Ok(data) = frame.into_data() else { continue };
        let _ = arrived.send(data).await;
    }
}

/// The upstream receives the first chunk before the client sends the last one.
#[tokio::test]
async fn request_bodies_are_streamed() {
    for client in clients() {
        let (arrived, mut arrivals) = channel(8);
        let upstream = Upstream::streaming(move |request| {
            let arrived = arrived.clone();
            async move {
                forward_chunks(request.into_body(), arrived).await;
                Response::new(full("all of it"))
            }
        })
        .await;
        let site = to(&upstream.url()).await;
        let (upload, body) = channel(1);
        let request = client.post(site.url("/api")).body(Body::wrap_stream(chunks(body)));
        let answer = tokio::spawn(request.send());
        upload.send("first").await.unwrap();
        assert_eq!(arrivals.recv().await.unwrap(), "first");
        upload.send("last").await.unwrap();
        drop(upload);
        assert_eq!(arrivals.recv().await.unwrap(), "last");
        assert_eq!(answer.await.unwrap().unwrap().text().await.unwrap(), "all of it");
    }
}

/// The client receives the first chunk before the upstream sends the last one.
#[tokio::test]
async fn response_bodies_are_streamed() {
    for client in clients() {
        let (hand_over, mut upstreams) = channel(1);
        let upstream = Upstream::streaming(move |_| {
            let hand_over = hand_over.clone();
            async move {
                let (download, body) = channel(1);
                hand_over.send(download).await.unwrap();
                Response::new(chunked(body))
            }
        })
        .await;
        let site = to(&upstream.url()).await;
        let mut answer = client.get(site.url("/api")).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "the head comes before any of the body");
        let download = upstreams.recv().await.unwrap();
        download.send("first").await.unwrap();
        assert_eq!(answer.chunk().await.unwrap().unwrap(), "first");
        download.send("last").await.unwrap();
        drop(download);
        assert_eq!(answer.chunk().await.unwrap().unwrap(), "last");
        assert!(answer.chunk().await.unwrap().is_none_or(|end| end.is_empty()));
    }
}

#[tokio::test]
async fn expect_100_continue_is_answered() {
    let upstream = Upstream::with_body("answered").await;
    let site = to(&upstream.url()).await;
    let mut stream = TcpStream::connect(("127.0.0.1", site.port)).await.unwrap();
    let head = "POST /api HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\
                Connection: close\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut permission = [0; 25];
    stream.read_exact(&mut permission).await.unwrap();
    assert_eq!(&permission, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"sent").await.unwrap();
    assert_eq!(Raw::rest_of(&mut stream).await.body(), "answered");
    assert_eq!(upstream.last_request().body, "sent");
    assert!(!upstream.last_request().headers.contains_key("expect"));
}

/// A guard that sends a message on its channel when it is dropped.
struct DropGuard(Sender<()>);

impl Drop for DropGuard {
    fn drop(&mut self) {
        let _ = self.0.try_send(());
    }
}

#[tokio::test]
async fn a_disconnect_cancels_the_upstream_request() {
    for client in clients() {
        let (started, mut starts) = channel(1);
        let (ended, mut ends) = channel(1);
        let upstream = Upstream::streaming(move |_| {
            let (started, guard) = (started.clone(), DropGuard(ended.clone()));
            async move {
                let _guard = guard;
                started.send(()).await.unwrap();
                std::future::pending().await
            }
        })
        .await;
        let site = to(&upstream.url()).await;
        let request = tokio::spawn(client.get(site.url("/api")).send());
        starts.recv().await.unwrap();
        request.abort();
        drop(client);
        ends.recv().await.unwrap();
    }
}

#[tokio::test]
async fn a_truncated_request_stays_incomplete() {
    for part in [
        "POST /api HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nhalf of it",
        "POST /api HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\na\r\nhalf of it\r\n",
    ] {
        let (started, mut starts) = channel(1);
        let (ended, mut ends) = channel(1);
        let complete = Arc::new(AtomicBool::new(false));
        let seen_complete = Arc::clone(&complete);
        let upstream = Upstream::streaming(move |request| {
            let (started, guard) = (started.clone(), DropGuard(ended.clone()));
            let seen_complete = Arc::clone(&seen_complete);
            async move {
                let _guard = guard;
                let mut body = request.into_body();
                body.frame().await;
                started.send(()).await.unwrap();
                seen_complete.store(body.collect().await.is_ok(), Ordering::Relaxed);
                Response::new(full("answered"))
            }
        })
        .await;
        let site = to(&upstream.url()).await;
        let mut stream = TcpStream::connect(("127.0.0.1", site.port)).await.unwrap();
        stream.write_all(part.as_bytes()).await.unwrap();
        starts.recv().await.unwrap();
        drop(stream);
        ends.recv().await.unwrap();
        assert!(!complete.load(Ordering::Relaxed), "{part}");
    }
}

/// The peak memory of a process, in KiB.
fn peak_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[tokio::test]
async fn large_bodies_are_not_buffered() {
    const CHUNK: usize = 64 * 1024;
    const CHUNKS: usize = 1024;
    let upstream = Upstream::streaming(|request| async {
        Response::new(request.into_body().map_err(std::io::Error::other).boxed())
    })
    .await;
    let (port, admin) = (free_port(), free_port());
    let config = format!("{BASE}{}", forward("api", "/api", &upstream.url()));
    let dir = Workdir::with([("config.toml", site::on_ports(&config, port, admin))]);
    let gateway = Gateway::start(&dir.config()).await;
    let url = format!("http://127.0.0.1:{port}/api");
    client().post(&url).body("warm").send().await.unwrap();
    let before = peak_kib(gateway.pid());
    let body = stream::iter((0..CHUNKS).map(|n| Ok::<_, std::io::Error>(Bytes::from(vec![n as u8; CHUNK]))));
    let mut answer = client().post(&url).body(Body::wrap_stream(body)).send().await.unwrap();
    let mut at = 0;
    while let Some(mut chunk) = answer.chunk().await.unwrap() {
        while !chunk.is_empty() {
            let same = chunk.split_to(chunk.len().min(CHUNK - at % CHUNK));
            assert!(same == vec![(at / CHUNK) as u8; same.len()], "the body differs at byte {at}");
            at += same.len();
        }
    }
    assert_eq!(at, CHUNKS * CHUNK);
    let grown = peak_kib(gateway.pid()) - before;
    assert!(grown < 16 * 1024, "the gateway grew by {grown} KiB while 64 MiB passed");
}
