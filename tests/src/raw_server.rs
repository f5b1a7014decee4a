use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// A server that does what no HTTP library would: it takes one request from each connection, writes what it
/// was told to, whether that is an answer or not, and closes.
#[derive(Debug)]
pub struct RawServer {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<String>>>,
    serving: JoinHandle<()>,
}

impl RawServer {
    /// One that writes `answer(n)` to its n-th connection, counted from 0. The connection of an answer that
    /// is `None` is held open in silence.
    ///
    /// # Panics
    /// When it cannot listen.
    pub async fn writing(answer: impl Fn(usize) -> Option<String> + Send + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let seen: Arc<Mutex<Vec<String>>> = Arc::default();
        let remember = Arc::clone(&seen);
        let serving = tokio::spawn(async move {
            for n in 0.. {
                let Ok((stream, _)) = listener.accept().await else { continue };
                tokio::spawn(serve(stream, answer(n), Arc::clone(&remember)));
            }
        });
        Self { address, seen, serving }
    }

    /// `http://127.0.0.1:PORT`
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Every request that came to its end, byte by byte.
    ///
    /// # Panics
    /// Never.
    pub fn seen(&self) -> Vec<String> {
        self.seen.lock().expect("no panic").clone()
    }
}

impl Drop for RawServer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(mut stream: TcpStream, answer: Option<String>, seen: Arc<Mutex<Vec<String>>>) {
    let (mut request, mut some) = (String::new(), [0; 4096]);
    while !is_whole(&request) {
        match stream.read(&mut some).await {
            Ok(count @ 1..) => request.push_str(&String::from_utf8_lossy(&some[..count])),
            _ => return,
        }
    }
    seen.lock().expect("no panic").push(request);
    match answer {
        Some(text) => drop(stream.write_all(text.as_bytes()).await),
        None => std::future::pending().await,
    }
}

/// Whether a request is there from the first to the last byte, by its own account.
fn is_whole(request: &str) -> bool {
    let Some((head, body)) = request.split_once("\r\n\r\n") else { return false };
    let head = head.to_ascii_lowercase();
    if head.contains("transfer-encoding: chunked") {
        return body.ends_with("0\r\n\r\n");
    }
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    body.len() >= length.and_then(|text| text.parse().ok()).unwrap_or(0)
}
