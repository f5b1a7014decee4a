//! Connections of clients that the gateway closes while they are idle.

use std::collections::HashSet;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use harmony_tests::site::{BASE, forward};
use harmony_tests::{Site, Upstream, Workdir};
use http::Request;
use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::http2::Builder;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout};

/// The time after which the gateway closes an idle connection.
const IDLE: Duration = Duration::from_secs(1);

/// The time for the end of a response. A test that reaches it fails.
const LIMIT: Duration = Duration::from_secs(60);

/// The number of connections.
const CLIENTS: u32 = 400;

/// Returns the pause of a client before its second request: from 0.1 s to 1.9 s, most of them close to the idle time.
fn pause(n: u32) -> Duration {
    let x = f64::from(n) / f64::from(CLIENTS) * 2.0 - 1.0;
    IDLE.mul_f64(1.0 + 0.9 * x.powi(3))
}

/// Sends a POST.
async fn send(stream: &mut TcpStream, path: &str) -> std::io::Result<()> {
    let request = format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody");
    stream.write_all(request.as_bytes()).await
}

/// Reads up to the end of one response, or of the connection.
async fn response(stream: &mut TcpStream) -> String {
    let (mut text, mut some) = (String::new(), [0; 4096]);
    while !text.ends_with("answered") {
        let read = timeout(LIMIT, stream.read(&mut some)).await.expect("an answer, or the end");
        let Ok(count @ 1..) = read else { break };
        text.push_str(&String::from_utf8_lossy(&some[..count]));
    }
    text
}

/// Starts a gateway that forwards to `upstream` and closes connections that are idle for [`IDLE`].
async fn before(upstream: &Upstream) -> Site {
    let options = format!("client_idle_timeout_secs = {}", IDLE.as_secs());
    let base = BASE.replace("[proxy]\n", &format!("[proxy]\n{options}\n"));
    let config = format!("{base}{}", forward("all", "/", &upstream.url()));
    Site::with(&config, Workdir::new()).await
}

/// Requests that come at the moment at which the gateway closes their connection. Each has a whole response, or the
/// connection ends without a byte of one and the backend never sees the request.
#[tokio::test]
async fn no_request_is_lost_at_the_close() {
    let upstream = Upstream::with_body("answered").await;
    let site = before(&upstream).await;
    let clients = (0..CLIENTS).map(|n| {
        let port = site.port;
        async move {
            let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
            send(&mut stream, &format!("/first/{n}")).await.unwrap();
            let first = response(&mut stream).await;
            let moment = Instant::now() + pause(n);
            assert!(first.starts_with("HTTP/1.1 200"), "{first:?}");
            sleep_until(moment).await;
            let path = format!("/second/{n}");
            let sent = send(&mut stream, &path).await;
            let second = if sent.is_ok() { response(&mut stream).await } else { String::new() };
            (path, second)
        }
    });
    let mut answered = HashSet::new();
    let results = join_all(clients).await;
    for (path, text) in &results {
        if !text.is_empty() {
            assert!(text.starts_with("HTTP/1.1 200") && text.ends_with("answered"), "{path}: {text:?}");
            answered.insert(path.clone());
        }
    }
    // Ends the requests in flight, if there are any.
    let Site { host, .. } = site;
    host.shut_down(Duration::from_secs(10)).await;
    let requests = upstream.requests();
    let forwarded: Vec<String> = requests.iter().map(|request| request.uri.path().to_owned()).collect();
    let second: Vec<&String> = forwarded.iter().filter(|path| path.starts_with("/second")).collect();
    let seen: HashSet<String> = second.iter().map(|path| (*path).clone()).collect();
    assert_eq!(seen, answered, "forwarded and answered");
    assert_eq!(second.len(), seen.len(), "no request is sent twice");
    assert!(requests.iter().all(|request| request.body == "body"));
    assert!(
        (1..CLIENTS as usize).contains(&answered.len()),
        "{} of {CLIENTS} were answered: the requests came at the wrong moment",
        answered.len()
    );
}

/// An idle connection of HTTP/2 is told to go away, and then closed.
#[tokio::test]
async fn idle_connections_of_http2_end() {
    let upstream = Upstream::with_body("answered").await;
    let site = before(&upstream).await;
    let stream = TcpStream::connect(("127.0.0.1", site.port)).await.unwrap();
    let builder = Builder::new(TokioExecutor::new());
    let (mut sender, connection) = builder.handshake::<_, Empty<Bytes>>(TokioIo::new(stream)).await.unwrap();
    let ended = tokio::spawn(connection);
    let url = format!("http://127.0.0.1:{}/", site.port);
    let answer = sender.send_request(Request::get(url).body(Empty::new()).unwrap()).await.unwrap();
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "answered");
    timeout(LIMIT, ended).await.expect("the gateway ends the connection").unwrap().unwrap();
}
