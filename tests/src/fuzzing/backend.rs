//! A backend that records the requests that reach it, as its strict parser reads them.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use super::message::{Kind, Message, parse};
use super::stage::Activity;

/// The response to a request.
#[derive(Clone, Debug, Default)]
pub(super) struct Answer {
    pub(super) bytes: Vec<u8>,
    /// Closes the connection after the response.
    pub(super) close: bool,
}

/// The part of a run that reached the backend.
#[derive(Debug, Default)]
pub(super) struct Recorded {
    /// The requests, in the order of their ends; the ones that did not end have no length.
    pub(super) requests: Vec<Message>,
    /// The first violation of RFC 9112 on each connection, with all that was received on it since the last request.
    pub(super) violations: Vec<String>,
}

type Script = Box<dyn Fn(&Message) -> Answer + Send>;

/// The backend. Its connections outlive a run if they are between two requests.
pub(super) struct Backend {
    pub(super) address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    activity: Activity,
    recorded: Mutex<Recorded>,
    script: Mutex<Script>,
    end: Notify,
}

impl Backend {
    /// Starts a backend that sends nothing until it has a script.
    pub(super) async fn start(activity: &Activity) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let script: Script = Box::new(|_| Answer::default());
        let shared = Arc::new(Shared {
            activity: activity.clone(),
            recorded: Mutex::default(),
            script: Mutex::new(script),
            end: Notify::new(),
        });
        let serving = Arc::clone(&shared);
        tokio::spawn(async move {
            loop {
                if let Ok((stream, _)) = listener.accept().await {
                    serving.activity.note(0);
                    let _ = stream.set_nodelay(true);
                    let _ = stream.set_zero_linger();
                    tokio::spawn(serve(stream, Arc::clone(&serving)));
                }
            }
        });
        Self { address, shared }
    }

    /// Sets the responses of the next run.
    pub(super) fn script(&self, script: impl Fn(&Message) -> Answer + Send + 'static) {
        *lock(&self.shared.script) = Box::new(script);
    }

    /// Closes the connections that are within a request or a response, once nothing moves any more, and returns what was
    /// recorded.
    pub(super) async fn finish(&self) -> Recorded {
        self.cut().await;
        std::mem::take(&mut *lock(&self.shared.recorded))
    }

    /// Closes the connections that are within a request or a response.
    pub(super) async fn cut(&self) {
        self.shared.activity.settled().await;
        self.shared.end.notify_waiters();
        self.shared.activity.settled().await;
    }
}

/// Serves one connection.
async fn serve(mut stream: TcpStream, shared: Arc<Shared>) {
    let (mut buffer, mut some) = (Vec::new(), [0; 16 * 1024]);
    // True while a response has been sent whose end only its own bytes tell.
    let mut answering = false;
    loop {
        let read = tokio::select! {
            biased;
            read = stream.read(&mut some) => read.unwrap_or(0),
            () = shared.end.notified() => match buffer.is_empty() && !answering {
                true => continue,
                false => 0,
            },
        };
        shared.activity.note(read);
        buffer.extend_from_slice(&some[..read]);
        let parsed = parse(&buffer, Kind::Request);
        let message = match parsed {
            Err(violation) => {
                let shown = String::from_utf8_lossy(&buffer);
                lock(&shared.recorded).violations.push(format!("{violation}: {shown:?}"));
                return;
            }
            Ok(message) => message,
        };
        match message {
            Some(message) if message.length.is_some() || read == 0 => {
                buffer.drain(..message.length.unwrap_or(buffer.len()));
                if message.length.is_some() && !buffer.is_empty() {
                    // The gateway sends one request at a time on a connection, so these bytes belong to none.
                    let shown = String::from_utf8_lossy(&buffer).into_owned();
                    lock(&shared.recorded).violations.push(format!("bytes after a request: {shown:?}"));
                }
                let answer = lock(&shared.script)(&message);
                answering = !is_whole(&answer.bytes, &message);
                lock(&shared.recorded).requests.push(message);
                if read == 0 || stream.write_all(&answer.bytes).await.is_err() {
                    return;
                }
                shared.activity.note(answer.bytes.len());
                if answer.close {
                    let _ = stream.shutdown().await;
                    return;
                }
            }
            _ if read == 0 => return,
            _ => {}
        }
    }
}

/// Returns whether `answer` is exactly one response to `request`.
fn is_whole(answer: &[u8], request: &Message) -> bool {
    let to_head = request.start.starts_with(b"HEAD ");
    let parsed = parse(answer, Kind::Response { to_head });
    parsed.is_ok_and(|parsed| parsed.is_some_and(|parsed| parsed.length == Some(answer.len())))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
