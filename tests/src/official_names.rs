//! The official names of Runbeam Cloud on this machine: an HTTP proxy behind which a control plane has them.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

use crate::Identity;

/// The official names. Other hosts are not reached through this proxy.
pub const OFFICIAL_NAMES: [&str; 3] = ["api.runbeam.cloud", "api.runbeam.io", "app.runbeam.io"];

/// The longest head of a request to the proxy.
const MAX_HEAD: usize = 64 * 1024;

/// An HTTP proxy that leads requests to [`OFFICIAL_NAMES`] to a server of this machine, over TLS with a certificate of
/// its own or in cleartext.
///
/// A program uses it as any proxy, by `HTTPS_PROXY` and `HTTP_PROXY`, and trusts the certificate by `SSL_CERT_FILE`. So
/// it needs no switch for tests.
#[derive(Debug)]
pub struct OfficialNames {
    address: SocketAddr,
    certificate: String,
    reached: Arc<Mutex<Vec<String>>>,
    serving: JoinHandle<()>,
}

impl OfficialNames {
    /// Starts a proxy at `listen` that leads to `target`.
    ///
    /// # Errors
    /// Fails if the address cannot be bound.
    pub async fn start(listen: SocketAddr, target: SocketAddr) -> std::io::Result<Self> {
        let identity = Identity::of(&OFFICIAL_NAMES);
        let acceptor = identity.acceptor(&[]);
        let listener = TcpListener::bind(listen).await?;
        let address = listener.local_addr()?;
        let reached: Arc<Mutex<Vec<String>>> = Arc::default();
        let seen = Arc::clone(&reached);
        let serving = tokio::spawn(async move {
            // Aborting this task drops the set, and with it all connections.
            let mut connections = JoinSet::new();
            loop {
                tokio::select! {
                    accepted = listener.accept() => if let Ok((stream, _)) = accepted {
                        connections.spawn(serve(stream, target, acceptor.clone(), Arc::clone(&seen)));
                    },
                    Some(_) = connections.join_next() => {}
                }
            }
        });
        Ok(Self { address, certificate: identity.cert, reached, serving })
    }

    /// The value of `HTTPS_PROXY` and `HTTP_PROXY`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The certificate that clients must trust, PEM.
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// The origins that were asked for, each once, sorted. Also those that lead nowhere.
    ///
    /// # Panics
    /// Never.
    pub fn reached(&self) -> Vec<String> {
        let mut all = self.reached.lock().expect("no panic").clone();
        all.sort();
        all.dedup();
        all
    }
}

impl Drop for OfficialNames {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// Serves one connection. Errors end it.
async fn serve(
    mut client: TcpStream,
    target: SocketAddr,
    acceptor: TlsAcceptor,
    reached: Arc<Mutex<Vec<String>>>,
) -> std::io::Result<()> {
    let (head, rest) = read_head(&mut client).await?;
    let words: Vec<&str> = head.lines().next().unwrap_or_default().split(' ').collect();
    let [method, named, version] = words[..] else { return refuse(&mut client).await };
    let saw = |origin: String| reached.lock().expect("no panic").push(origin);
    if method == "CONNECT" {
        saw(format!("https://{named}"));
        if !OFFICIAL_NAMES.iter().any(|name| named == format!("{name}:443")) {
            return refuse(&mut client).await;
        }
        client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
        let client = acceptor.accept(client).await?;
        return tunnel(client, target, &[]).await;
    }
    let (host, path) = named
        .strip_prefix("http://")
        .map_or((named, ""), |rest| rest.split_at(rest.find('/').unwrap_or(rest.len())));
    saw(format!("http://{host}"));
    if !OFFICIAL_NAMES.contains(&host) {
        return refuse(&mut client).await;
    }
    // One request for each connection: the next one could be to another host.
    let headers = head.split_once("\r\n").map_or("", |(_, headers)| headers);
    let kept =
        headers.split_inclusive("\r\n").filter(|line| !line.to_ascii_lowercase().starts_with("connection:"));
    let path = if path.is_empty() { "/" } else { path };
    let first = format!("{method} {path} {version}\r\nconnection: close\r\n{}", kept.collect::<String>());
    tunnel(client, target, &[first.as_bytes(), &rest].concat()).await
}

/// Reads the head of a request, with its empty line, and what came behind it.
async fn read_head(client: &mut TcpStream) -> std::io::Result<(String, Vec<u8>)> {
    let mut read = Vec::new();
    loop {
        if let Some(end) = read.windows(4).position(|window| window == b"\r\n\r\n") {
            let rest = read.split_off(end + 4);
            return Ok((String::from_utf8_lossy(&read).into_owned(), rest));
        }
        if read.len() > MAX_HEAD || client.read_buf(&mut read).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
}

async fn tunnel(
    mut client: impl AsyncRead + AsyncWrite + Unpin,
    target: SocketAddr,
    first: &[u8],
) -> std::io::Result<()> {
    let mut server = TcpStream::connect(target).await?;
    server.write_all(first).await?;
    copy_bidirectional(&mut client, &mut server).await.map(drop)
}

async fn refuse(client: &mut TcpStream) -> std::io::Result<()> {
    client.write_all(b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await
}
