//! The target `answer`: the bytes of a backend, through the proxy, to a client.

use std::cell::RefCell;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

use super::backend::{Answer, Backend};
use super::client::Client;
use super::fields::check_response;
use super::message::{Kind, Message, parse};
use super::stage::Activity;
use super::world::World;
use crate::site::forward;

/// The body of the second response, by which the client recognizes it.
const MARKER: &[u8] = b"the second response";

thread_local! {
    static WORLD: RefCell<World> = RefCell::new(World::start(|url| forward("all", "/", url)));
}

/// The request of the client, chosen by the first byte of the input.
#[derive(Clone, Copy)]
struct Choice(u8);

impl Choice {
    fn method(self) -> &'static str {
        ["GET", "HEAD", "POST", "DELETE"][usize::from(self.0 & 3)]
    }

    /// An HTTP/1.0 client, which knows no chunks.
    fn is_old(self) -> bool {
        self.0 & 4 != 0
    }

    /// A backend that closes its connection after the response.
    fn closes(self) -> bool {
        self.0 & 8 != 0
    }

    fn is_http2(self) -> bool {
        self.0 & 16 != 0
    }

    /// A client that asks for another protocol.
    fn upgrades(self) -> bool {
        self.0 & 32 != 0
    }
}

/// Sends a request to a gateway whose backend responds with `bytes` after the first one. A client with a strict parser
/// understands what it receives; no field is for another connection; and a second request on the same connection gets its
/// own response, or an error of the gateway, but no byte of the first.
///
/// # Panics
/// Panics if that does not hold.
pub fn answer(bytes: &[u8]) {
    let Some((choice, bytes)) = bytes.split_first() else { return };
    let (choice, bytes) = (Choice(*choice), bytes.to_vec());
    WORLD.with_borrow_mut(|world| {
        let World { backend, site, activity, runtime } = world;
        backend.script(move |request| {
            if request.words()[1] == b"/second" {
                let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", MARKER.len());
                return Answer { bytes: [head.as_bytes(), MARKER].concat(), close: false };
            }
            Answer { bytes: bytes.clone(), close: choice.closes() }
        });
        runtime.block_on(async {
            match choice.is_http2() {
                true => over_http2(choice, site.port, backend, activity).await,
                false => over_http1(choice, site.port, backend, activity).await,
            }
            let recorded = backend.finish().await;
            assert!(recorded.violations.is_empty(), "the backend received {:#?}", recorded.violations);
        });
    });
}

async fn over_http1(choice: Choice, port: u16, backend: &Backend, activity: &Activity) {
    let version = if choice.is_old() { "1.0" } else { "1.1" };
    let body = if choice.method() == "POST" { "Content-Length: 4\r\n" } else { "" };
    let upgrade = if choice.upgrades() { "Connection: Upgrade\r\nUpgrade: websocket\r\n" } else { "" };
    let end = if choice.method() == "POST" { "\r\nbody" } else { "\r\n" };
    let method = choice.method();
    let first = format!("{method} /first HTTP/{version}\r\nHost: localhost\r\n{body}{upgrade}{end}");
    let mut client = Client::connect(port, activity).await;
    client.exchange(first.as_bytes()).await;
    // A response that the backend has not finished ends here, with an error.
    backend.cut().await;
    client.exchange(b"").await;
    let Some(length) = first_response(choice, &client) else { return };
    client.received.drain(..length);
    assert!(client.received.is_empty(), "more than one response: {:?}", shown(&client.received));
    if client.closed || choice.is_old() {
        return;
    }
    client.exchange(b"GET /second HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    let second = read(&client.received, false);
    let Some(second) = second else { return };
    assert!(
        matches!(second.status(), 500..600) || (second.status() == 200 && second.body == MARKER),
        "the second response is {:?}",
        shown(&client.received)
    );
    assert!(second.length.is_none_or(|length| length == client.received.len()), "a third response");
}

/// Checks the first response, and returns its length if a second request may follow it.
fn first_response(choice: Choice, client: &Client) -> Option<usize> {
    let mut at = 0;
    loop {
        let rest = &client.received[at..];
        let response = read(rest, choice.method() == "HEAD")?;
        if choice.upgrades() && response.status() == 101 {
            return None;
        }
        if let Err(problem) = check_response(&response) {
            panic!("the client received {problem}: {:?}", shown(rest));
        }
        let chunked = response.values("transfer-encoding").next().is_some();
        assert!(!(choice.is_old() && chunked), "chunks for HTTP/1.0: {:?}", shown(rest));
        at += response.length?;
        if !(100..200).contains(&response.status()) {
            return Some(at);
        }
    }
}

fn read(received: &[u8], to_head: bool) -> Option<Message> {
    match parse(received, Kind::Response { to_head }) {
        Ok(message) => message,
        Err(problem) => panic!("the client received {problem}: {:?}", shown(received)),
    }
}

fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Requests over HTTP/2. The h2 library of the client refuses what the RFC forbids.
async fn over_http2(choice: Choice, port: u16, backend: &Backend, activity: &Activity) {
    let stream = TcpStream::connect(("127.0.0.1", port)).await.expect("the gateway listens");
    let _ = stream.set_zero_linger();
    let _ = stream.set_nodelay(true);
    let Ok((mut sender, connection)) =
        http2::handshake::<_, _, Full<Bytes>>(TokioExecutor::new(), TokioIo::new(stream)).await
    else {
        panic!("the gateway speaks HTTP/2");
    };
    let connection = tokio::spawn(connection);
    let request = |method: &str, path: &str| {
        let body = if method == "POST" { "body" } else { "" };
        let uri = format!("http://localhost{path}");
        http::Request::builder().method(method).uri(uri).body(Full::from(body)).expect("a request")
    };
    let first = sender.send_request(request(choice.method(), "/first"));
    let exchange = async {
        match first.await {
            Err(error) => Err(error),
            Ok(response) => {
                let fields =
                    [http::header::CONNECTION, http::header::TRANSFER_ENCODING, http::header::UPGRADE];
                let status = response.status();
                for name in fields {
                    assert!(!response.headers().contains_key(&name), "{status} with {name} over HTTP/2");
                }
                response.into_body().collect().await.map(|_| ())
            }
        }
    };
    let cut = async {
        backend.cut().await;
        // The task that reads the response shares the thread.
        backend.cut().await;
    };
    let mut exchange = std::pin::pin!(exchange);
    let ended = tokio::select! {
        ended = &mut exchange => Some(ended),
        () = cut => None,
    };
    if let Some(Err(error)) = ended {
        assert!(!is_detected(&error), "the gateway violates HTTP/2: {error:?}");
    }
    if let Ok(second) = sender.send_request(request("GET", "/second")).await {
        let status = second.status();
        let body = second.into_body().collect().await.map(|body| body.to_bytes());
        let ours = status.is_server_error() || (status == 200 && body.as_ref().is_ok_and(|b| b == MARKER));
        assert!(ours, "the second response is {status} {body:?}");
    }
    activity.note(0);
    connection.abort();
}

/// Returns whether the client itself has found the violation.
fn is_detected(error: &hyper::Error) -> bool {
    let mut next: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = next {
        if error.to_string().contains(" detected: ") {
            return true;
        }
        next = error.source();
    }
    false
}
