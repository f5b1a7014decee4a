//! Connections of HTTP/2, which many requests share.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use harmony_tests::site::{BASE, pipeline};
use harmony_tests::{Http2Server, Identity, Reply, Site, Workdir, client, full};
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use reqwest::StatusCode;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Barrier, mpsc};

/// Starts a gateway before a backend with this certificate.
async fn site(identity: &Identity, url: &str, more: &str) -> Site {
    let backend = format!(
        "service = \"http\"\noptions.base_url = \"{url}\"\noptions.ca_cert_path = \"ca.pem\"\n{more}"
    );
    let dir = Workdir::with([("ca.pem", identity.cert.clone())]);
    Site::with(&format!("{BASE}{}", pipeline("all", "/", &backend)), dir).await
}

/// Starts a server that permits `streams` requests at a time on each connection. Returns its URL and the number of
/// connections so far.
async fn server<F>(
    identity: &Identity,
    streams: u32,
    handler: impl Fn(Request<Incoming>) -> F + Clone + Send + Sync + 'static,
) -> (String, Arc<AtomicUsize>)
where
    F: Future<Output = Response<http_body_util::combinators::BoxBody<Bytes, std::io::Error>>>
        + Send
        + 'static,
{
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address: SocketAddr = listener.local_addr().unwrap();
    let (acceptor, connections) = (identity.acceptor(&["h2"]), Arc::new(AtomicUsize::new(0)));
    let counter = Arc::clone(&connections);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            counter.fetch_add(1, Ordering::Relaxed);
            let (acceptor, handler) = (acceptor.clone(), handler.clone());
            tokio::spawn(async move {
                let Ok(stream) = acceptor.accept(stream).await else { return };
                let service = service_fn(move |request| {
                    let answer = handler(request);
                    async move { Ok::<_, Infallible>(answer.await) }
                });
                let mut builder = http2::Builder::new(TokioExecutor::new());
                let builder = builder.max_concurrent_streams(streams);
                let _ = builder.serve_connection(TokioIo::new(stream), service).await;
            });
        }
    });
    (format!("https://{address}"), connections)
}

async fn get(site: &Site, path: &str) -> StatusCode {
    client().get(site.url(path)).send().await.expect("an answer").status()
}

async fn post(site: &Site) -> StatusCode {
    client().post(site.url("/x")).body("a body").send().await.expect("an answer").status()
}

/// Servers reject a request that has its authority in the header Host as well.
#[tokio::test]
async fn the_authority_is_said_once() {
    let (sender, mut requests) = mpsc::channel(1);
    let identity = Identity::new();
    let (url, _) = server(&identity, 100, move |request: Request<Incoming>| {
        let sender = sender.clone();
        async move {
            sender.send((request.uri().clone(), request.headers().clone())).await.unwrap();
            Response::new(full("ok"))
        }
    })
    .await;
    let site = site(&identity, &url, "").await;
    let (status, request) = tokio::join!(get(&site, "/x?q=1"), requests.recv());
    let (uri, headers) = request.unwrap();
    assert_eq!((status, uri.to_string()), (StatusCode::OK, format!("{url}/x?q=1")));
    assert!(!headers.contains_key("host") && !headers.contains_key("transfer-encoding"), "{headers:?}");
}

/// A server that permits few requests at a time refuses what came before it could say so.
#[tokio::test]
async fn requests_wait_for_the_settings() {
    let identity = Identity::new();
    let server = Http2Server::start(&identity, |_, _| Reply::Ok).await;
    let site = site(&identity, &server.url(), "").await;
    let statuses = join_all((0..40).map(|_| post(&site))).await;
    assert!(statuses.iter().all(|status| *status == StatusCode::OK), "{statuses:?}");
    assert_eq!(server.early(), 0, "requests before the settings");
}

/// Requests beyond those that one connection may carry use another one; none waits behind the others.
#[tokio::test]
async fn more_requests_than_streams_use_more_connections() {
    let (identity, all) = (Identity::new(), Arc::new(Barrier::new(30)));
    let (url, connections) = server(&identity, 8, move |_| {
        let all = Arc::clone(&all);
        async move {
            // Answered only when all of them are here at the same time.
            all.wait().await;
            Response::new(full("ok"))
        }
    })
    .await;
    let site = site(&identity, &url, "max_retries = 0").await;
    let statuses = join_all((0..30).map(|_| get(&site, "/x"))).await;
    assert!(statuses.iter().all(|status| *status == StatusCode::OK), "{statuses:?}");
    let connections = connections.load(Ordering::Relaxed);
    assert!((4..=30).contains(&connections), "{connections}");
}

/// Requests that the server says it has not processed are sent again, bodies too (RFC 9113, section 8.7).
#[tokio::test]
async fn unprocessed_requests_are_sent_again() {
    for refusal in [Reply::GoAway, Reply::Refuse] {
        let identity = Identity::new();
        let server =
            Http2Server::start(
                &identity,
                move |connection, request| {
                    if connection == 0 && request > 0 { refusal } else { Reply::Ok }
                },
            )
            .await;
        let site = site(&identity, &server.url(), "max_retries = 0").await;
        for _ in 0..3 {
            assert_eq!(post(&site).await, StatusCode::OK, "{refusal:?}");
        }
        assert_eq!(server.connections(), 2, "{refusal:?}");
    }
}

/// A server that refuses everything is given up.
#[tokio::test]
async fn a_server_that_refuses_everything_is_a_bad_gateway() {
    for refusal in [Reply::GoAway, Reply::Refuse] {
        let identity = Identity::new();
        let server = Http2Server::start(&identity, move |_, _| refusal).await;
        let site = site(&identity, &server.url(), "max_retries = 1").await;
        assert_eq!(post(&site).await, StatusCode::BAD_GATEWAY, "{refusal:?}");
        assert!((2..=6).contains(&server.connections()), "{}", server.connections());
    }
}

/// Starts a server whose first connection freezes at its second request.
async fn freezing(identity: &Identity) -> Http2Server {
    Http2Server::start(
        identity,
        |connection, request| {
            if connection == 0 && request > 0 { Reply::Freeze } else { Reply::Ok }
        },
    )
    .await
}

/// A connection that gives no answer in time serves no further request.
#[tokio::test]
async fn a_frozen_connection_is_replaced() {
    let identity = Identity::new();
    let server = freezing(&identity).await;
    let site = site(&identity, &server.url(), "timeout_secs = 1\nmax_retries = 0").await;
    assert_eq!(get(&site, "/x").await, StatusCode::OK);
    assert_eq!(get(&site, "/x").await, StatusCode::GATEWAY_TIMEOUT);
    for _ in 0..3 {
        assert_eq!(post(&site).await, StatusCode::OK);
    }
    assert_eq!(server.connections(), 2);
}

/// Pings find a frozen connection before the timeout of its requests, and those that may be repeated are.
#[tokio::test]
async fn pings_find_a_frozen_connection() {
    let identity = Identity::new();
    let server = freezing(&identity).await;
    let site = site(&identity, &server.url(), "timeout_secs = 120\nmax_retries = 0").await;
    assert_eq!(get(&site, "/x").await, StatusCode::OK);
    let answer = tokio::time::timeout(Duration::from_secs(60), get(&site, "/x")).await;
    assert_eq!(answer.expect("long before the timeout"), StatusCode::OK);
}

/// The window of a shared connection is not used up by those whose clients do not read.
#[tokio::test]
async fn clients_that_do_not_read_stop_no_others() {
    let identity = Identity::new();
    let (url, connections) = server(&identity, 100, |request: Request<Incoming>| async move {
        match request.uri().path() {
            "/large" => Response::new(full(vec![b'x'; 16 * 1024 * 1024])),
            _ => Response::new(full("small")),
        }
    })
    .await;
    let site = site(&identity, &url, "max_retries = 0").await;
    let mut unread = Vec::new();
    for _ in 0..20 {
        let mut stream = TcpStream::connect(("127.0.0.1", site.port)).await.unwrap();
        stream.write_all(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
        // Its head is read, so that the response has begun.
        stream.read_exact(&mut [0; 64]).await.unwrap();
        unread.push(stream);
    }
    for _ in 0..20 {
        let answer = tokio::time::timeout(Duration::from_secs(20), get(&site, "/small")).await;
        assert_eq!(answer.expect("an answer beside them"), StatusCode::OK);
    }
    assert_eq!(connections.load(Ordering::Relaxed), 1);
}

/// A client that goes away ends its own request only. A server ends a connection with many resets at a time, to which they are an
/// attack, and with it the requests of all others.
#[tokio::test]
async fn cancelled_requests_break_no_others() {
    let identity = Identity::new();
    let (url, connections) = server(&identity, 100, |request: Request<Incoming>| async move {
        if request.uri().path() == "/never" {
            std::future::pending::<()>().await;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        Response::new(full("ok"))
    })
    .await;
    let site = site(&identity, &url, "max_retries = 0").await;
    assert_eq!(get(&site, "/first").await, StatusCode::OK);
    let cancelled = join_all((0..40).map(|_| async {
        let mut stream = TcpStream::connect(("127.0.0.1", site.port)).await.unwrap();
        stream.write_all(b"GET /never HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
        tokio::time::sleep(Duration::from_millis(fastrand::u64(0..60))).await;
    }));
    let others = join_all((0..40).map(|_| post(&site)));
    let (_, statuses) = tokio::join!(cancelled, others);
    assert!(statuses.iter().all(|status| *status == StatusCode::OK), "{statuses:?}");
    // A connection with many resets to come takes no further requests.
    assert!(connections.load(Ordering::Relaxed) <= 3, "{connections:?}");
}

/// The request that has begun a connection goes away before it is open. Others wait for the same connection, and get it.
#[tokio::test]
async fn a_connection_outlives_the_request_that_began_it() {
    let (identity, listener) = (Identity::new(), TcpListener::bind(("127.0.0.1", 0)).await.unwrap());
    let url = format!("https://{}", listener.local_addr().unwrap());
    let site = site(&identity, &url, "max_retries = 0").await;
    let mut first = TcpStream::connect(("127.0.0.1", site.port)).await.unwrap();
    first.write_all(b"GET /first HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    let (stream, _) = listener.accept().await.unwrap();
    let second = tokio::spawn(client().get(site.url("/second")).send());
    drop(first);
    // The handshake goes on when its request is gone.
    let stream = identity.acceptor(&["h2"]).accept(stream).await.unwrap();
    let service = service_fn(|_: Request<Incoming>| async { Ok::<_, Infallible>(Response::new(full("ok"))) });
    tokio::spawn(http2::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service));
    let answer = tokio::time::timeout(Duration::from_secs(20), second).await.expect("in time");
    assert_eq!(answer.unwrap().unwrap().status(), StatusCode::OK);
}

/// Requests that wait for a connection which cannot be opened learn that at the same time, not one after the other.
#[tokio::test]
async fn requests_that_wait_for_a_connection_fail_together() {
    let (identity, listener) = (Identity::new(), TcpListener::bind(("127.0.0.1", 0)).await.unwrap());
    let url = format!("https://{}", listener.local_addr().unwrap());
    let connections = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&connections);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            counter.fetch_add(1, Ordering::Relaxed);
            // An attempt takes so long that others wait for it.
            tokio::time::sleep(Duration::from_millis(500)).await;
            drop(stream);
        }
    });
    let site = site(&identity, &url, "max_retries = 0").await;
    let statuses = join_all((0..30).map(|_| get(&site, "/x"))).await;
    assert!(statuses.iter().all(|status| *status == StatusCode::BAD_GATEWAY), "{statuses:?}");
    let connections = connections.load(Ordering::Relaxed);
    assert!(connections < 10, "{connections} attempts for 30 requests");
}
