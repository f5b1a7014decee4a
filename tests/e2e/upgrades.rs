//! Upgrades: tunnels for WebSockets, and the ones that are refused.

use std::time::Duration;

use harmony_host::{Capabilities, HostOptions};
use harmony_tests::site::{BASE, forward, pipeline};
use harmony_tests::{Raw, RawServer, Site, Upstream, Workdir, eventually};
use http::Request;
use http_body_util::Empty;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::timeout;

const SWITCHED: &str = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade, X-Hop\r\nX-Hop: 1\r\n\
                        Upgrade: WebSocket\r\nSec-WebSocket-Accept: yes\r\n\r\nhello";

const ASKED: &str = "GET /ws?q HTTP/1.1\r\nHost: localhost\r\nConnection: keep-alive, Upgrade\r\n\
                     Upgrade: websocket\r\nSec-WebSocket-Key: key\r\n\r\n";

/// The longest wait of a test for bytes.
const LIMIT: Duration = Duration::from_secs(20);

/// Starts a backend that answers 101 and then returns every byte, and sends the heads of its requests.
async fn echoing() -> (String, UnboundedReceiver<String>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (heads, received) = unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let heads = heads.clone();
            tokio::spawn(async move {
                let head = read_until(&mut stream, "\r\n\r\n").await;
                let _ = heads.send(head);
                stream.write_all(SWITCHED.as_bytes()).await.unwrap();
                let (mut from, mut to) = stream.split();
                let _ = tokio::io::copy(&mut from, &mut to).await;
                let _ = to.shutdown().await;
            });
        }
    });
    (url, received)
}

/// Reads until the text ends with `end`.
async fn read_until(stream: &mut TcpStream, end: &str) -> String {
    let mut text = Vec::new();
    let reading = async {
        while !text.ends_with(end.as_bytes()) {
            let mut some = [0; 1024];
            match stream.read(&mut some).await {
                Ok(count @ 1..) => text.extend_from_slice(&some[..count]),
                _ => break,
            }
        }
    };
    let ended = timeout(LIMIT, reading).await;
    let text = String::from_utf8_lossy(&text).into_owned();
    assert!(ended.is_ok() && text.ends_with(end), "{text:?} does not end with {end:?}");
    text
}

async fn connect(site: &Site, request: &str) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", site.port)).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

#[tokio::test]
async fn a_websocket_is_tunnelled() {
    let (url, mut heads) = echoing().await;
    let site = Site::serving(&forward("all", "/", &url)).await;
    for request in [
        ASKED.to_owned(),
        ASKED.replace("Upgrade: websocket", "Upgrade: WebSocket"),
        ASKED.replace("Upgrade: websocket", "Upgrade: h2c, websocket"),
        ASKED.replace("Connection: keep-alive, Upgrade", "Connection: UPGRADE"),
        // Bytes that a client sends with its request reach the backend after the switch.
        format!("{ASKED}early"),
    ] {
        let mut stream = connect(&site, &request).await;
        let head = read_until(&mut stream, "hello").await.to_ascii_lowercase();
        assert!(head.starts_with("http/1.1 101 switching protocols\r\n"), "{head}");
        assert!(head.contains("\r\nupgrade: websocket\r\n") && head.contains("\r\nconnection: upgrade\r\n"));
        assert!(head.contains("sec-websocket-accept: yes") && !head.contains("x-hop"), "{head}");
        let arrived = heads.recv().await.unwrap().to_ascii_lowercase();
        assert!(arrived.starts_with("get /ws?q http/1.1\r\n"), "{arrived}");
        assert!(arrived.contains("\r\nupgrade: websocket\r\n") && !arrived.contains("h2c"), "{arrived}");
        assert!(
            arrived.contains("\r\nconnection: upgrade\r\n") && !arrived.contains("keep-alive"),
            "{arrived}"
        );
        assert!(arrived.contains("x-forwarded-for: 127.0.0.1") && arrived.contains("sec-websocket-key: key"));
        if request.ends_with("early") {
            read_until(&mut stream, "early").await;
        }
        for message in ["a", "Transfer-Encoding\x01: x\r\n\r\n", "GET /< HTTP/1.1\r\n\r\n", "\0\x01end"] {
            stream.write_all(message.as_bytes()).await.unwrap();
            assert_eq!(read_until(&mut stream, message).await, message);
        }
        stream.shutdown().await.unwrap();
        assert_eq!(timeout(LIMIT, stream.read(&mut [0; 8])).await.unwrap().unwrap(), 0, "both sides end");
    }
}

/// A tunnel counts as a connection when the gateway stops, and does not keep it from stopping.
#[tokio::test]
async fn a_tunnel_ends_with_the_gateway() {
    let (url, _heads) = echoing().await;
    let site = Site::serving(&forward("all", "/", &url)).await;
    let mut stream = connect(&site, ASKED).await;
    read_until(&mut stream, "hello").await;
    site.host.shut_down(Duration::from_millis(500)).await;
    let mut rest = Vec::new();
    let _ = timeout(LIMIT, stream.read_to_end(&mut rest)).await.expect("the tunnel was cut");
}

/// Without a permission, and where an upgrade is not possible, the request is an ordinary one.
#[tokio::test]
async fn other_upgrades_are_not_passed_on() {
    let upstream = Upstream::with_body("answered").await;
    let backend = |keys: &str| {
        pipeline(
            "api",
            "/",
            &format!("service = \"http\"\noptions.base_url = \"{}\"\n{keys}", upstream.url()),
        )
    };
    for (keys, request) in [
        ("upgrades = []", ASKED.to_owned()),
        ("upgrades = [\"other\"]", ASKED.to_owned()),
        ("", ASKED.replace("websocket", "h2c")),
        ("", ASKED.replace("websocket", "TLS/1.0, HTTP/2.0")),
        ("", ASKED.replace("Connection: keep-alive, Upgrade", "Connection: keep-alive")),
        ("", ASKED.replace("HTTP/1.1", "HTTP/1.0")),
        ("", ASKED.replace("GET", "POST").replace("\r\n\r\n", "\r\nContent-Length: 2\r\n\r\nok")),
    ] {
        let site = Site::serving(&backend(keys)).await;
        let mut stream = connect(&site, &request).await;
        read_until(&mut stream, "answered").await;
        let headers = upstream.last_request().headers;
        assert!(!headers.contains_key("upgrade") && !headers.contains_key("connection"), "{keys} {request}");
    }
}

/// A backend that switches unasked, or to another protocol, would let its bytes be read as another response.
#[tokio::test]
async fn unasked_switches_are_502() {
    let other = SWITCHED.replace("WebSocket", "h2c");
    let none = SWITCHED.replace("Upgrade: WebSocket\r\n", "");
    let two = SWITCHED.replace("Upgrade: WebSocket", "Upgrade: websocket\r\nUpgrade: h2c");
    let plain = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let closing = ASKED.replace("keep-alive, Upgrade", "Upgrade, close");
    for (request, response) in [
        (plain, SWITCHED),
        (&ASKED.replace("websocket", "h2c").replace("keep-alive", "close"), SWITCHED),
        (&closing, &other),
        (&closing, &none),
        (&closing, &two),
    ] {
        let text = response.to_owned();
        let upstream = RawServer::writing(move |_| Some(text.clone())).await;
        let site = Site::serving(&forward("all", "/", &upstream.url())).await;
        let answer = Raw::send(site.port, request).await;
        assert_eq!(answer.status(), 502, "{request:?} {response:?}: {}", answer.0);
        assert!(!answer.0.contains("hello"));
    }
}

#[tokio::test]
async fn an_unasked_switch_is_502_over_http2() {
    let upstream = RawServer::writing(|_| Some(SWITCHED.to_owned())).await;
    let site = Site::serving(&forward("all", "/", &upstream.url())).await;
    let stream = TcpStream::connect(("127.0.0.1", site.port)).await.unwrap();
    let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
    let (mut sender, connection) = handshake.await.unwrap();
    tokio::spawn(connection);
    let request = Request::get(site.url("/")).body(Empty::<bytes::Bytes>::new()).unwrap();
    assert_eq!(sender.send_request(request).await.unwrap().status(), 502);
}

/// A backend may decline.
#[tokio::test]
async fn a_declined_upgrade_is_an_ordinary_response() {
    let upstream = Upstream::with_body("declined").await;
    let site = Site::serving(&forward("all", "/", &upstream.url())).await;
    let mut stream = connect(&site, ASKED).await;
    for _ in 0..2 {
        let answer = read_until(&mut stream, "declined").await;
        assert!(
            answer.starts_with("HTTP/1.1 200") && !answer.to_ascii_lowercase().contains("upgrade"),
            "{answer}"
        );
        stream.write_all(ASKED.as_bytes()).await.unwrap();
    }
    eventually("both requests arrive", || async {
        let count = upstream.requests().len();
        if count >= 2 { Ok(()) } else { Err(count.to_string()) }
    })
    .await;
}

/// In a tunnel of HTTP the gateway would admit the first request only.
#[tokio::test]
async fn tunnels_of_http_are_rejected_with_place() {
    for name in ["h2c", "H2C", "HTTP/2.0", "http", "TLS/1.2", "", "a b"] {
        let keys =
            format!("service = \"http\"\noptions.base_url = \"http://a.example\"\nupgrades = [\"{name}\"]");
        let text = BASE.replace("PORT", "1").replace("ADMIN", "2") + &pipeline("api", "/", &keys);
        let dir = Workdir::with([("config.toml", text)]);
        let mut options = HostOptions::new(dir.config(), harmony_host::registry());
        options.state_dir = dir.path().join("state");
        let served = Capabilities::new().with_endpoint("http").with_backend("http");
        let rejection = harmony_host::check(&options, served).await.expect_err(name);
        let found: Vec<String> = rejection.problems.errors().map(ToString::to_string).collect();
        assert!(found.len() == 1 && found[0].starts_with("config.toml:"), "{name}: {found:?}");
        assert!(found[0].contains("backends.api.upgrades"), "{found:?}");
    }
}
