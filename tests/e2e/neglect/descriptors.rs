//! Few descriptors: floods of connections leave some for operators, edits and changes.

use std::time::Duration;

use bytes::Bytes;
use harmony_tests::control_plane::{ControlPlane, Status};
use harmony_tests::site::{echo, forward, on_ports};
use harmony_tests::{RUNBEAM_CONFIG, RawServer, Workdir, eventually, free_port};
use http::Request;
use http_body_util::Empty;
use hyper::client::conn::http2::SendRequest;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::{Process, send, spawn, status};

/// Opens an HTTP/2 connection.
pub(super) async fn http2(port: u16, window: u32) -> SendRequest<Empty<Bytes>> {
    let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let mut builder = hyper::client::conn::http2::Builder::new(TokioExecutor::new());
    builder.initial_stream_window_size(window).initial_connection_window_size(100 * 1024 * 1024);
    let (sender, driver) = builder.handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(driver);
    sender
}

pub(super) fn get(port: u16, path: &str) -> Request<Empty<Bytes>> {
    Request::get(format!("http://127.0.0.1:{port}{path}")).body(Empty::new()).unwrap()
}

/// Starts a gateway with few descriptors that follows `cloud`, and forwards /slow to a backend that never answers.
async fn limited(limit: u32, cloud: &ControlPlane, slow: &RawServer) -> Process {
    let (port, admin, dir) = (free_port(), free_port(), Workdir::new());
    let config = RUNBEAM_CONFIG.replace("API", cloud.url()).replace("INTERVAL", "1");
    let config = format!("{config}{}", forward("slow", "/slow", &slow.url()));
    dir.write("config.toml", &on_ports(&config, port, admin));
    let token = cloud.authorize("acme", "edge").to_string();
    let mut gateway = spawn(
        &dir,
        &format!("ulimit -n {limit}"),
        &["--drain-secs", "1"],
        &[("RUNBEAM_MACHINE_TOKEN", &token)],
    );
    gateway.wait_until_ready().await;
    Process { gateway, port, admin, dir }
}

/// Checks that operators, edits and changes get through, and that the log has not many lines about it.
async fn assert_works(process: &Process, cloud: &ControlPlane, name: &str) {
    assert_eq!(status(process.admin, "/admin/health").await, 200);
    process.dir.replace(
        &format!("pipelines/{name}-edit.toml"),
        &echo(&format!("{name}-edit"), &format!("/{name}-edit")),
    );
    let change =
        cloud.put_document("edge", "pipeline", &echo(&format!("{name}-change"), &format!("/{name}-change")));
    assert_eq!(cloud.wait_until_settled(&change).await.status, Status::Applied);
    for path in [format!("/{name}-edit"), format!("/{name}-change")] {
        eventually(&path, || async {
            match status(process.port, &path).await {
                200 => Ok(()),
                other => Err(other),
            }
        })
        .await;
    }
    let log = process.gateway.log();
    let lines = log.lines().filter(|line| line.contains("WARN") || line.contains("ERROR")).count();
    assert!(lines < 60, "{log}");
}

#[tokio::test]
async fn idle_connections_leave_descriptors() {
    for limit in [512, 1024] {
        let (cloud, slow) = (ControlPlane::start().await, RawServer::writing(|_| None).await);
        let process = limited(limit, &cloud, &slow).await;
        let mut open = Vec::new();
        for n in 0..limit + 100 {
            let bytes: &[u8] = if n % 2 == 0 { b"" } else { super::HTTP2_START };
            open.push(send(process.port, bytes).await);
        }
        assert_works(&process, &cloud, "idle").await;
        drop(open);
    }
}

/// Requests that wait for their backend hold two descriptors each over HTTP/1, and one over HTTP/2.
#[tokio::test]
async fn requests_in_flight_leave_descriptors() {
    for limit in [512, 1024] {
        let (cloud, slow) = (ControlPlane::start().await, RawServer::writing(|_| None).await);
        let process = limited(limit, &cloud, &slow).await;
        let mut waiting = JoinSet::new();
        for _ in 0..10 {
            let sender = http2(process.port, 65_535).await;
            for _ in 0..100 {
                let mut sender = sender.clone();
                let port = process.port;
                waiting.spawn(async move {
                    sender.ready().await.unwrap();
                    sender.send_request(get(port, "/slow")).await.map(|answer| answer.status())
                });
            }
        }
        let mut open = Vec::new();
        for _ in 0..30 {
            open.push(process.send(b"GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n").await);
        }
        eventually("the backend has requests", || async {
            let count = slow.requests().len();
            if count >= 100 { Ok(()) } else { Err(count) }
        })
        .await;
        assert_works(&process, &cloud, "busy").await;
        // Those that found no place are told, after a while.
        let refused = tokio::time::timeout(Duration::from_secs(30), waiting.join_next()).await;
        assert_eq!(refused.expect("an answer").unwrap().unwrap().unwrap(), 503);
        drop(open);
    }
}

/// The soft limit is raised, and the log says what was found.
#[tokio::test]
async fn the_soft_limit_is_raised() {
    let process = Process::with(&echo("api", "/api"), "ulimit -Sn 256 && ulimit -Hn 900", &[]).await;
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", process.gateway.pid())).unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    assert_eq!(line.split_whitespace().nth(3), Some("900"), "{line}");
    process.gateway.wait_for_log("found=256 limit=900 connections=354").await;
}
