//! The hostile clients.

use std::time::Duration;

use fastrand::Rng;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::sleep;

/// The start of an HTTP/2 connection, with an empty SETTINGS frame.
const HTTP2: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// SETTINGS with a stream window of 2^31 - 1, and the same for the connection: the client permits as much as it can.
const WIDE_WINDOWS: &[u8] = b"\0\0\x06\x04\0\0\0\0\0\0\x04\x7f\xff\xff\xff\0\0\x04\x08\0\0\0\0\0\x7f\xfe\0\0";

/// The longest time for which a hostile client holds a connection.
const HOLD: Duration = Duration::from_secs(45);

/// The way in which a client is hostile.
#[derive(Clone, Copy, Debug)]
enum Kind {
    /// Connects and says nothing.
    Silent,
    /// Sends the start of an HTTP/2 preface and closes.
    Preface,
    /// Sends the start of an HTTP/2 preface and waits.
    HalfPreface,
    /// Opens HTTP/2 and does nothing.
    IdleHttp2,
    /// Sends a head, one byte at a time.
    SlowHead,
    /// Sends a body, one byte at a time.
    SlowUpload,
    /// Requests large responses and does not read them.
    Unreading,
    /// The same on many streams of HTTP/2.
    UnreadingHttp2,
    /// Reads a large response, a little at a time.
    SlowReading,
    /// Resets the connection within a request.
    Reset,
    /// Opens and resets streams of HTTP/2 all the time.
    RapidReset,
    /// Requests a backend that is not there, which is logged each time.
    Noise,
    /// Sends a large head with nonsense.
    Garbage,
}

/// The hostile clients of each kind. Together they hold more connections than the gateway has descriptors, and those with
/// a request in flight alone want more places than it has.
const CROWD: [(Kind, usize); 13] = [
    (Kind::Silent, 300),
    (Kind::Preface, 24),
    (Kind::HalfPreface, 80),
    (Kind::IdleHttp2, 80),
    (Kind::SlowHead, 80),
    (Kind::SlowUpload, 80),
    (Kind::Unreading, 60),
    (Kind::UnreadingHttp2, 4),
    (Kind::SlowReading, 40),
    (Kind::Reset, 12),
    (Kind::RapidReset, 2),
    (Kind::Noise, 8),
    (Kind::Garbage, 4),
];

/// The hostile clients of the management API. They hold fewer connections than it accepts.
const AT_MANAGEMENT: [(Kind, usize); 5] = [
    (Kind::Silent, 12),
    (Kind::Preface, 12),
    (Kind::HalfPreface, 12),
    (Kind::IdleHttp2, 12),
    (Kind::Reset, 4),
];

/// The hostile clients. Dropping them closes their connections.
#[derive(Debug)]
pub(super) struct Crowd(#[expect(dead_code, reason = "dropping it stops the tasks")] JoinSet<()>);

impl Crowd {
    /// Starts the clients of a gateway at `port`, with its management API at `admin`.
    pub(super) fn start(port: u16, admin: u16, mut rng: Rng) -> Self {
        let mut tasks = JoinSet::new();
        for (crowd, port) in [(&CROWD[..], port), (&AT_MANAGEMENT, admin)] {
            for (kind, count) in crowd.iter().copied() {
                for _ in 0..count {
                    tasks.spawn(misbehave(kind, port, rng.fork()));
                }
            }
        }
        Self(tasks)
    }
}

/// Opens one connection after the other. A connection that ends early makes the client wait only a little, as a flood does.
async fn misbehave(kind: Kind, port: u16, mut rng: Rng) {
    sleep(Duration::from_millis(rng.u64(..3_000))).await;
    loop {
        if let Ok(Ok(mut stream)) =
            tokio::time::timeout(Duration::from_secs(5), TcpStream::connect(("127.0.0.1", port))).await
        {
            let hold = HOLD.mul_f64(rng.f64().max(0.1));
            let _ = tokio::time::timeout(hold, act(kind, &mut stream, &mut rng)).await;
        }
        sleep(Duration::from_millis(rng.u64(20..200))).await;
    }
}

/// Acts on one connection. An error is the gateway that has closed it.
async fn act(kind: Kind, stream: &mut TcpStream, rng: &mut Rng) -> std::io::Result<()> {
    match kind {
        Kind::Silent => until_closed(stream).await,
        Kind::Preface => stream.write_all(b"P").await,
        Kind::HalfPreface => {
            stream.write_all(&HTTP2[..rng.usize(1..24)]).await?;
            until_closed(stream).await
        }
        Kind::IdleHttp2 => {
            stream.write_all(HTTP2).await?;
            until_closed(stream).await
        }
        Kind::SlowHead => {
            let head = format!("GET /backend HTTP/1.1\r\nHost: localhost\r\nX-Slow: {}\r\n", "x".repeat(500));
            drip(stream, head.as_bytes(), rng).await
        }
        Kind::SlowUpload => {
            let path = ["/early", "/backend", "/steady"][rng.usize(..3)];
            let head = format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n");
            stream.write_all(head.as_bytes()).await?;
            drip(stream, &[b'x'; 1_000], rng).await
        }
        Kind::Unreading => {
            stream.write_all(b"GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n").await?;
            sleep(HOLD).await;
            Ok(())
        }
        Kind::UnreadingHttp2 => {
            stream.write_all(&HTTP2[..24]).await?;
            stream.write_all(WIDE_WINDOWS).await?;
            for stream_id in (1..200).step_by(2) {
                stream.write_all(&request(stream_id, "/large")).await?;
            }
            sleep(HOLD).await;
            Ok(())
        }
        Kind::SlowReading => {
            stream.write_all(b"GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n").await?;
            let mut some = [0; 512];
            while stream.read(&mut some).await? > 0 {
                sleep(Duration::from_millis(300)).await;
            }
            Ok(())
        }
        Kind::Reset => {
            stream.set_zero_linger()?;
            stream
                .write_all(b"POST /backend HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nhalf")
                .await?;
            sleep(Duration::from_millis(rng.u64(..20))).await;
            Ok(())
        }
        Kind::RapidReset => {
            stream.write_all(HTTP2).await?;
            for stream_id in (1..2_000).step_by(2) {
                stream.write_all(&request(stream_id, "/backend")).await?;
                stream.write_all(&frame(3, 0, stream_id, &[0, 0, 0, 8])).await?;
            }
            until_closed(stream).await
        }
        Kind::Noise => {
            for _ in 0..20 {
                stream.write_all(b"GET /gone HTTP/1.1\r\nHost: localhost\r\n\r\n").await?;
                let mut some = [0; 2_048];
                if stream.read(&mut some).await? == 0 {
                    break;
                }
            }
            Ok(())
        }
        Kind::Garbage => {
            let garbage: Vec<u8> = (0..rng.usize(..100_000)).map(|_| rng.u8(..)).collect();
            stream.write_all(&garbage).await?;
            until_closed(stream).await
        }
    }
}

/// Reads and ignores what arrives until the gateway closes the connection.
async fn until_closed(stream: &mut TcpStream) -> std::io::Result<()> {
    let mut some = [0; 2_048];
    while stream.read(&mut some).await? > 0 {}
    Ok(())
}

/// Writes `bytes` one at a time.
async fn drip(stream: &mut TcpStream, bytes: &[u8], rng: &mut Rng) -> std::io::Result<()> {
    for byte in bytes {
        stream.write_all(&[*byte]).await?;
        sleep(Duration::from_millis(rng.u64(100..600))).await;
    }
    Ok(())
}

/// The HEADERS frame of a GET request.
fn request(stream_id: u32, path: &str) -> Vec<u8> {
    let length = |text: &str| u8::try_from(text.len()).expect("short");
    // `:method: GET` and `:scheme: http` from the static table; `:authority` and `:path` as literals.
    let mut fields = vec![0x82, 0x86, 0x01, length("localhost")];
    fields.extend_from_slice(b"localhost");
    fields.extend_from_slice(&[0x04, length(path)]);
    fields.extend_from_slice(path.as_bytes());
    frame(1, 5, stream_id, &fields)
}

fn frame(kind: u8, flags: u8, stream_id: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("short").to_be_bytes();
    let mut frame = vec![length[1], length[2], length[3], kind, flags];
    frame.extend_from_slice(&stream_id.to_be_bytes());
    frame.extend_from_slice(payload);
    frame
}
