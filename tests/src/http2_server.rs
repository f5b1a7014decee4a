//! A server of HTTP/2 that writes its own frames, for behaviour that no library offers.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::server::TlsStream;

use crate::{Identity, until_closed_unread};

/// The behaviour towards one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// An empty response 200, after the end of the request.
    Ok,
    /// A response 200 with this JSON, after the end of the request.
    Json(&'static str),
    /// The stream is refused before it is processed (RFC 9113, section 8.7).
    Refuse,
    /// The server goes away. It has processed the requests that it has answered only, and ignores all others.
    GoAway,
    /// Nothing more is written to the connection, and nothing read, until the client closes it.
    Freeze,
}

/// A server on a free port of 127.0.0.1 that runs until it is dropped.
#[derive(Debug)]
pub struct Http2Server {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    early: Arc<AtomicUsize>,
    serving: JoinHandle<()>,
}

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const ACK: u8 = 1;
const NO_ERROR: u32 = 0;
const REFUSED_STREAM: u32 = 7;

/// `:status: 200`, the entry 8 of the static table (RFC 7541, appendix A).
const STATUS_200: &[u8] = &[0x88];

/// The same, and `content-type: application/json`, a literal with the name of entry 31.
const JSON_200: &[u8] = b"\x88\x0f\x10\x10application/json";

impl Http2Server {
    /// Starts a server that treats the `request`th request of the `connection`th connection as `reply(connection, request)`
    /// says; both count from 0.
    ///
    /// # Panics
    /// Panics if it cannot listen.
    pub async fn start(
        identity: &Identity,
        reply: impl Fn(usize, usize) -> Reply + Clone + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (acceptor, connections) = (identity.acceptor(&["h2"]), Arc::new(AtomicUsize::new(0)));
        let (counter, early) = (Arc::clone(&connections), Arc::new(AtomicUsize::new(0)));
        let early_counter = Arc::clone(&early);
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let connection = counter.fetch_add(1, Ordering::Relaxed);
                let (acceptor, reply, early) = (acceptor.clone(), reply.clone(), Arc::clone(&early_counter));
                tokio::spawn(async move {
                    if let Ok(stream) = acceptor.accept(stream).await {
                        // An error says that the client is gone.
                        let _ = serve(stream, &early, |request| reply(connection, request)).await;
                    }
                });
            }
        });
        Self { address, connections, early, serving }
    }

    /// `https://127.0.0.1:PORT`
    pub fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// The number of connections so far.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// The number of requests that came before the client had the settings of the server.
    pub fn early(&self) -> usize {
        self.early.load(Ordering::Relaxed)
    }
}

impl Drop for Http2Server {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(
    mut stream: TlsStream<TcpStream>,
    early: &AtomicUsize,
    reply: impl Fn(usize) -> Reply,
) -> std::io::Result<()> {
    let mut preface = [0; 24];
    stream.read_exact(&mut preface).await?;
    write(&mut stream, SETTINGS, 0, 0, &[]).await?;
    let (mut requests, mut last, mut goes_away, mut is_settled) = (0, 0, false, false);
    let mut replies = std::collections::BTreeMap::new();
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).await?;
        let [a, b, c, kind, flags, id @ ..] = head;
        let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
        stream.read_exact(&mut payload).await?;
        let id = u32::from_be_bytes(id);
        match kind {
            SETTINGS if flags & ACK == 0 => write(&mut stream, SETTINGS, ACK, 0, &[]).await?,
            SETTINGS => is_settled = true,
            PING if flags & ACK == 0 => write(&mut stream, PING, ACK, 0, &payload).await?,
            HEADERS if !goes_away => {
                let reply = reply(requests);
                requests += 1;
                early.fetch_add(usize::from(!is_settled), Ordering::Relaxed);
                match reply {
                    Reply::Ok | Reply::Json(_) => drop(replies.insert(id, reply)),
                    Reply::Refuse => {
                        write(&mut stream, RST_STREAM, 0, id, &REFUSED_STREAM.to_be_bytes()).await?;
                    }
                    Reply::GoAway => {
                        let payload = [u32::to_be_bytes(last), u32::to_be_bytes(NO_ERROR)].concat();
                        write(&mut stream, GOAWAY, 0, 0, &payload).await?;
                        replies.clear();
                        goes_away = true;
                    }
                    Reply::Freeze => {
                        until_closed_unread(stream.get_ref().0).await;
                        return Ok(());
                    }
                }
            }
            _ => {}
        }
        let ended = if matches!(kind, HEADERS | DATA) { flags & END_STREAM } else { 0 };
        let Some(reply) = Some(&id).filter(|_| ended != 0).and_then(|id| replies.remove(id)) else {
            continue;
        };
        last = id;
        if let Reply::Json(text) = reply {
            write(&mut stream, HEADERS, END_HEADERS, id, JSON_200).await?;
            write(&mut stream, DATA, END_STREAM, id, text.as_bytes()).await?;
        } else {
            write(&mut stream, HEADERS, END_HEADERS | END_STREAM, id, STATUS_200).await?;
        }
    }
}

async fn write(
    stream: &mut TlsStream<TcpStream>,
    kind: u8,
    flags: u8,
    id: u32,
    payload: &[u8],
) -> std::io::Result<()> {
    let length = u32::try_from(payload.len()).expect("a short frame").to_be_bytes();
    let mut frame = vec![length[1], length[2], length[3], kind, flags];
    frame.extend(id.to_be_bytes());
    frame.extend(payload);
    stream.write_all(&frame).await?;
    stream.flush().await
}
