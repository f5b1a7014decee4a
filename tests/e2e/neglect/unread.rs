//! Responses that the client does not read.

use bytes::Bytes;
use harmony_tests::site::forward;
use harmony_tests::{Upstream, eventually, full};
use http::Response;
use http_body_util::BodyExt as _;

use super::Process;
use super::descriptors::{get, http2};

/// The memory that 100 responses on one connection may hold: each holds two reads of at most 8 KiB, and the state of a
/// request and of a connection to a backend, which is large without optimization.
const KIB_PER_CONNECTION: u64 = 10 * 1024;

/// Responses over HTTP/2 that the client does not read, or not any further, hold little memory.
#[tokio::test]
async fn unread_responses_hold_little_memory() {
    const CONNECTIONS: u64 = 8;
    let body = Bytes::from(vec![b'x'; 4 * 1024 * 1024]);
    let upstream = Upstream::with_handler(move |_| {
        let body = body.clone();
        async move { Response::new(full(body)) }
    })
    .await;
    for (window, read) in [(1, 0), (64 * 1024, 256 * 1024)] {
        let process = Process::start(&forward("api", "/api", &upstream.url())).await;
        let warm = http2(process.port, 65_535).await.send_request(get(process.port, "/api")).await.unwrap();
        assert_eq!(warm.into_body().collect().await.unwrap().to_bytes().len(), 4 * 1024 * 1024);
        let before = process.memory_kib();
        let mut unread = Vec::new();
        for _ in 0..CONNECTIONS {
            let mut sender = http2(process.port, window).await;
            for _ in 0..100 {
                sender.ready().await.unwrap();
                let mut answer = sender.send_request(get(process.port, "/api")).await.unwrap();
                let mut count = 0;
                while count < read {
                    count += answer.frame().await.unwrap().unwrap().into_data().unwrap().len();
                }
                unread.push(answer);
            }
        }
        // The reads have ended when the memory does not grow any more.
        let mut last = 0;
        let now = eventually("the memory is stable", || {
            let now = process.memory_kib();
            let is_stable = now == std::mem::replace(&mut last, now);
            async move { if is_stable { Ok(now) } else { Err(now) } }
        })
        .await;
        let grown = now.saturating_sub(before) / CONNECTIONS;
        assert!(grown < KIB_PER_CONNECTION, "{grown} KiB for a connection with the window {window}");
        drop(unread);
        process.wait_for_descriptors(60).await;
    }
}
