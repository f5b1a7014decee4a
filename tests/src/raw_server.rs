//! A TCP server that writes raw bytes, for responses that no HTTP server would send.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// A server that reads one request from each connection, writes the given bytes and closes.
#[derive(Debug)]
pub struct RawServer {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
    serving: JoinHandle<()>,
}

impl RawServer {
    /// Starts a server that writes `response(n)` to its n-th connection, counted from 0. `None` keeps the connection
    /// open and writes nothing.
    ///
    /// # Panics
    /// Panics if it cannot listen.
    pub async fn writing(response: impl Fn(usize) -> Option<String> + Send + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let requests: Arc<Mutex<Vec<String>>> = Arc::default();
        let recorded = Arc::clone(&requests);
        let serving = tokio::spawn(async move {
            for n in 0.. {
                let Ok((stream, _)) = listener.accept().await else { continue };
                tokio::spawn(serve(stream, response(n), Arc::clone(&recorded)));
            }
        });
        Self { address, requests, serving }
    }

    /// `http://127.0.0.1:PORT`
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All complete requests so far, as raw bytes.
    ///
    /// # Panics
    /// Never.
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().expect("no panic").clone()
    }
}

impl Drop for RawServer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(mut stream: TcpStream, response: Option<String>, requests: Arc<Mutex<Vec<String>>>) {
    let Some(request) = read_request(&mut stream).await else { return };
    requests.lock().expect("no panic").push(request);
    match response {
        Some(text) => drop(stream.write_all(text.as_bytes()).await),
        None => std::future::pending().await,
    }
}

/// Reads one request, as raw bytes. `None` if the connection ends before.
pub async fn read_request(stream: &mut TcpStream) -> Option<String> {
    let (mut request, mut some) = (String::new(), [0; 4096]);
    while !is_complete(&request) {
        let Ok(count @ 1..) = stream.read(&mut some).await else { return None };
        request.push_str(&String::from_utf8_lossy(&some[..count]));
    }
    Some(request)
}

/// Returns true if the request is complete by its own framing headers.
fn is_complete(request: &str) -> bool {
    let Some((head, body)) = request.split_once("\r\n\r\n") else { return false };
    let head = head.to_ascii_lowercase();
    if head.contains("transfer-encoding: chunked") {
        // Trailers may follow the last chunk.
        return body.ends_with("\r\n\r\n") && (body.starts_with("0\r\n") || body.contains("\r\n0\r\n"));
    }
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    body.len() >= length.and_then(|text| text.parse().ok()).unwrap_or(0)
}
