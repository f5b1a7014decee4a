//! The body of a request on its way to a backend.

use std::fmt;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::sync::Notify;
use tokio::time::{Sleep, timeout};

use crate::http::body::BodyError;
use crate::http::pace::Pace;
use crate::http::trailers;

/// The longest gap in a body, unless the reader has a deadline of its own.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// The limits for dropping the rest of a body that nobody reads, so that the connection can serve another request.
const DROPPED_BYTES: u64 = 64 * 1024;
const DROPPING_TIME: Duration = Duration::from_millis(100);

/// The bytes at the start of a body that are kept until the response begins, so that another attempt can send them again.
const KEPT_BYTES: usize = 64 * 1024;

/// The body of a request. Clones share it: several attempts of a request may read it, one after the other, and the
/// connection can end it. Another attempt is possible while all that was read is kept. The default is an empty one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Upload {
    /// `None` for an empty body.
    shared: Option<Arc<Shared>>,
    /// The attempt that this clone is for. Only that of the last one reads.
    attempt: u32,
}

#[derive(Debug)]
struct Shared {
    source: Mutex<Source>,
    /// The number of the last attempt.
    attempt: AtomicU32,
    hint: SizeHint,
    limit: AtomicU64,
    read: AtomicU64,
    frames: AtomicU32,
    finished: AtomicBool,
    /// Set when the client broke off or sent a body that is no valid HTTP.
    broken: AtomicBool,
    /// Notified when the whole body was read.
    end: Notify,
}

/// The body on its connection.
#[derive(Debug)]
struct Source {
    /// `None` after the body was abandoned. The connection cannot serve another request then.
    incoming: Option<Incoming>,
    idle_timeout: Option<Duration>,
    /// The timer of the idle timeout. It exists only while no data arrives, so a flowing body costs no timer.
    timer: Option<Pin<Box<Sleep>>>,
    /// The reader that waits for the client; `None` while none does.
    reader: Option<Waker>,
    kept: Kept,
    /// The pace of the client; `None` once the response has begun, from which on the backend sets the pace.
    pace: Option<Arc<Pace>>,
}

/// The bytes that were read of a body. They are copied: a client may send them one by one, and a part of a read buffer keeps all
/// of it.
#[derive(Debug)]
struct Kept {
    bytes: Vec<u8>,
    /// False if more was read than is kept.
    is_whole: bool,
    /// The number of bytes that this attempt has read.
    read: usize,
}

impl Kept {
    /// Keeps a body, unless its announced length is too large.
    fn new(hint: &SizeHint) -> Self {
        Self { bytes: Vec::new(), is_whole: hint.lower() <= KEPT_BYTES as u64, read: 0 }
    }

    /// Returns the bytes that another attempt has read, and this one has not.
    fn next(&mut self) -> Option<Bytes> {
        let rest = self.bytes.get(self.read..).filter(|rest| !rest.is_empty())?;
        let rest = Bytes::copy_from_slice(rest);
        self.read = self.bytes.len();
        Some(rest)
    }

    fn is_behind(&self) -> bool {
        self.read < self.bytes.len()
    }

    /// Keeps a frame that was just read, if there is room.
    fn keep(&mut self, frame: &Frame<Bytes>) {
        let data = frame.data_ref().filter(|data| self.bytes.len() + data.len() <= KEPT_BYTES);
        match data.filter(|_| self.is_whole) {
            Some(data) => {
                self.bytes.extend_from_slice(data);
                self.read = self.bytes.len();
            }
            None => self.clear(),
        }
    }

    fn clear(&mut self) {
        *self = Self { bytes: Vec::new(), is_whole: false, read: 0 };
    }
}

/// The reason why a request body ended early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UploadError {
    /// The body is larger than `proxy.content_limits.max_body_size` allows.
    TooLarge,
    /// The client sent nothing for too long.
    Stalled,
    /// The response ended before the body did.
    Abandoned,
}

impl fmt::Display for UploadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLarge => "the request body is larger than proxy.content_limits.max_body_size",
            Self::Stalled => "the request body did not arrive in time",
            Self::Abandoned => "the response ended before the request body did",
        })
    }
}

impl std::error::Error for UploadError {}

impl Upload {
    /// Wraps a body, with an idle timeout of 30 s and without a size limit. `pace` is that of its client.
    pub(crate) fn new(incoming: Incoming, pace: Arc<Pace>) -> Self {
        if incoming.is_end_stream() {
            return Self::default();
        }
        let (hint, idle_timeout) = (incoming.size_hint(), Some(IDLE_TIMEOUT));
        let shared = Arc::new(Shared {
            source: Mutex::new(Source {
                incoming: Some(incoming),
                idle_timeout,
                timer: None,
                reader: None,
                kept: Kept::new(&hint),
                pace: Some(pace),
            }),
            attempt: AtomicU32::new(0),
            hint,
            limit: AtomicU64::new(u64::MAX),
            read: AtomicU64::new(0),
            frames: AtomicU32::new(0),
            finished: AtomicBool::new(false),
            broken: AtomicBool::new(false),
            end: Notify::new(),
        });
        Self { shared: Some(shared), attempt: 0 }
    }

    /// Sets the size limit in bytes; `None` for no limit.
    pub(crate) fn set_limit(&self, limit: Option<u64>) {
        if let Some(shared) = &self.shared {
            shared.limit.store(limit.unwrap_or(u64::MAX), Ordering::Relaxed);
        }
    }

    /// Removes the idle timeout, for a reader with a deadline of its own.
    pub(crate) fn remove_idle_timeout(&self) {
        if let Some(shared) = &self.shared {
            let mut source = shared.source();
            (source.idle_timeout, source.timer) = (None, None);
        }
    }

    /// Notes that the response begins: the client need not send faster from now on.
    pub(crate) fn note_response(&self) {
        let Some(shared) = &self.shared else { return };
        let mut source = shared.source();
        source.kept.clear();
        if let Some(pace) = source.pace.take() {
            pace.reset();
        }
    }

    /// Begins another attempt: the body is read from its start again, by this clone and those made of it from now on. Returns
    /// false, and does nothing, if not all that was read is kept.
    pub(crate) fn rewind(&mut self) -> bool {
        let Some(shared) = &self.shared else { return true };
        let mut source = shared.source();
        if !source.kept.is_whole {
            return false;
        }
        source.kept.read = 0;
        let attempt = shared.attempt.fetch_add(1, Ordering::Relaxed) + 1;
        drop(source);
        self.attempt = attempt;
        true
    }

    /// Returns the number of bytes that were read so far.
    pub(crate) fn bytes_read(&self) -> u64 {
        self.shared.as_ref().map_or(0, |shared| shared.read.load(Ordering::Relaxed))
    }

    /// Returns whether nothing of the body was read.
    pub(crate) fn is_unread(&self) -> bool {
        self.progress() == 0
    }

    /// Returns whether the body is empty.
    pub(crate) fn is_empty(&self) -> bool {
        self.shared.is_none()
    }

    /// Returns the number of frames read so far; it wraps, so compare it for equality only.
    pub(crate) fn progress(&self) -> u32 {
        self.shared.as_ref().map_or(0, |shared| shared.frames.load(Ordering::Relaxed))
    }

    /// Returns whether the whole body was read.
    pub(crate) fn is_finished(&self) -> bool {
        self.shared.as_ref().is_none_or(|shared| shared.is_finished())
    }

    /// Returns whether a reader waits for the client to send more. False while nobody reads, as before a connection to the
    /// backend is open.
    pub(crate) fn waits_for_client(&self) -> bool {
        self.shared.as_ref().is_some_and(|shared| shared.source().reader.is_some())
    }

    /// Returns whether the announced length is above the limit, before anything is read.
    pub(crate) fn too_large(&self) -> bool {
        self.shared.as_ref().is_some_and(|shared| shared.hint.lower() > shared.limit())
    }

    /// Returns whether more bytes than the limit were read.
    pub(crate) fn exceeded_limit(&self) -> bool {
        self.shared.as_ref().is_some_and(|shared| shared.read.load(Ordering::Relaxed) > shared.limit())
    }

    /// Returns whether the client broke off or sent a body that is no valid HTTP.
    pub(crate) fn is_broken(&self) -> bool {
        self.shared.as_ref().is_some_and(|shared| shared.broken.load(Ordering::Relaxed))
    }

    /// Returns whether another clone of a body with data exists, such as that of a connection to a backend.
    pub(crate) fn is_shared(&self) -> bool {
        self.shared.as_ref().is_some_and(|shared| Arc::strong_count(shared) > 1)
    }

    /// Waits until another reader has read the whole body, at most for the time in which [`drop_rest`](Self::drop_rest)
    /// would drop it. Returns whether it has.
    pub(crate) async fn is_finished_soon(&self) -> bool {
        let Some(shared) = &self.shared else { return true };
        let finished = async {
            let mut end = std::pin::pin!(shared.end.notified());
            end.as_mut().enable();
            if !shared.is_finished() {
                end.await;
            }
        };
        timeout(DROPPING_TIME, finished).await.is_ok()
    }

    /// Reads the rest of the body and drops it: at most 64 KiB in at most 100 ms. Returns whether that was all of it.
    pub(crate) async fn drop_rest(&mut self) -> bool {
        let Some(shared) = &self.shared else { return true };
        let before = shared.read.load(Ordering::Relaxed);
        if shared.hint.lower().saturating_sub(before) > DROPPED_BYTES {
            return false;
        }
        self.set_limit(Some(before.saturating_add(DROPPED_BYTES)));
        self.attempt = shared.attempt.load(Ordering::Relaxed);
        let dropping = async { while let Some(Ok(_)) = self.frame().await {} };
        let _ = timeout(DROPPING_TIME, dropping).await;
        self.is_finished()
    }

    /// Ends the body for every reader. Its connection closes after the response, unless the whole body was read.
    pub(crate) fn abandon(&self) {
        let Some(shared) = &self.shared else { return };
        let mut source = shared.source();
        source.incoming = None;
        if let Some(reader) = source.reader.take() {
            reader.wake();
        }
    }
}

impl Shared {
    fn limit(&self) -> u64 {
        self.limit.load(Ordering::Relaxed)
    }

    fn is_finished(&self) -> bool {
        self.finished.load(Ordering::Acquire)
    }

    fn source(&self) -> MutexGuard<'_, Source> {
        self.source.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn finish(&self) {
        self.finished.store(true, Ordering::Release);
        self.end.notify_waiters();
    }
}

impl Source {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let Some(incoming) = &mut self.incoming else {
            return Poll::Ready(Some(Err(UploadError::Abandoned.into())));
        };
        if let Poll::Ready(frame) = Pin::new(incoming).poll_frame(cx) {
            (self.timer, self.reader) = (None, None);
            if let Some(pace) = &self.pace {
                let data = match &frame {
                    Some(Ok(frame)) => frame.data_ref().map_or(0, Bytes::len),
                    _ => 0,
                };
                pace.advance(data, false);
            }
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        match &mut self.reader {
            Some(reader) => reader.clone_from(cx.waker()),
            reader => *reader = Some(cx.waker().clone()),
        }
        if let Some(pace) = &self.pace {
            pace.wait();
        }
        let Some(idle_timeout) = self.idle_timeout else { return Poll::Pending };
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(idle_timeout)));
        timer.as_mut().poll(cx).map(|()| {
            self.incoming = None;
            Some(Err(UploadError::Stalled.into()))
        })
    }
}

impl HttpBody for Upload {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let Some(shared) = &self.shared else { return Poll::Ready(None) };
        let mut source = shared.source();
        if self.attempt != shared.attempt.load(Ordering::Relaxed) {
            return Poll::Ready(Some(Err(UploadError::Abandoned.into())));
        }
        if let Some(part) = source.kept.next() {
            shared.frames.fetch_add(1, Ordering::Relaxed);
            return Poll::Ready(Some(Ok(Frame::data(part))));
        }
        let frame = std::task::ready!(source.poll(cx));
        shared.frames.fetch_add(1, Ordering::Relaxed);
        match &frame {
            Some(Ok(frame)) => source.kept.keep(frame),
            Some(Err(_)) => source.kept.clear(),
            None => {}
        }
        if frame.is_none() || source.incoming.as_ref().is_some_and(HttpBody::is_end_stream) {
            shared.finish();
        }
        drop(source);
        let Some(frame) = frame else { return Poll::Ready(None) };
        if matches!(&frame, Err(error) if error.is::<hyper::Error>()) {
            shared.broken.store(true, Ordering::Relaxed);
        }
        let frame = trailers::checked(frame?);
        let bytes = frame.data_ref().map_or(0, |data| data.len() as u64);
        if shared.read.fetch_add(bytes, Ordering::Relaxed) + bytes > shared.limit() {
            return Poll::Ready(Some(Err(UploadError::TooLarge.into())));
        }
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        let Some(shared) = &self.shared else { return true };
        let source = shared.source();
        !source.kept.is_behind() && source.incoming.as_ref().is_some_and(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.shared.as_ref().map_or_else(|| SizeHint::with_exact(0), |shared| shared.hint)
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use http::{Request, Response};
    use hyper::server::conn::http1;
    use hyper::service::service_fn;
    use hyper_util::rt::TokioIo;
    use tokio::io::{AsyncWriteExt as _, DuplexStream, duplex};
    use tokio::sync::mpsc;

    use super::*;

    /// Sends `request` to a server, and returns the client's half and the body.
    async fn receive(request: &str) -> (DuplexStream, Upload) {
        let (mut client, server) = duplex(256 * 1024);
        let (sender, mut uploads) = mpsc::channel(1);
        let service = service_fn(move |request: Request<Incoming>| {
            let sender = sender.clone();
            async move {
                sender.send(Upload::new(request.into_body(), Arc::new(Pace::new()))).await.unwrap();
                std::future::pending::<()>().await;
                Ok::<_, Infallible>(Response::new(http_body_util::Empty::<Bytes>::new()))
            }
        });
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(server), service));
        client.write_all(request.as_bytes()).await.unwrap();
        (client, uploads.recv().await.unwrap())
    }

    fn post(framing: &str) -> String {
        format!("POST / HTTP/1.1\r\nHost: a\r\n{framing}")
    }

    fn error_of(frame: Option<Result<Frame<Bytes>, BodyError>>) -> UploadError {
        *frame.unwrap().unwrap_err().downcast().unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_gap_is_limited() {
        let (mut client, mut upload) = receive(&post("Content-Length: 100\r\n\r\nx")).await;
        assert_eq!(upload.frame().await.unwrap().unwrap().into_data().unwrap(), "x");
        assert!(timeout(IDLE_TIMEOUT - DROPPING_TIME, upload.frame()).await.is_err());
        client.write_all(b"y").await.unwrap();
        assert_eq!(upload.frame().await.unwrap().unwrap().into_data().unwrap(), "y");
        assert_eq!(error_of(upload.frame().await), UploadError::Stalled);
        assert!(!upload.is_finished());
        let (_client, mut upload) = receive(&post("Content-Length: 100\r\n\r\n")).await;
        upload.remove_idle_timeout();
        assert!(timeout(100 * IDLE_TIMEOUT, upload.frame()).await.is_err());
    }

    /// The body that nobody reads, as by a backend that is frozen, is not the client's fault.
    #[tokio::test(start_paused = true)]
    async fn the_client_is_waited_for_by_a_reader_only() {
        let (mut client, mut upload) = receive(&post("Content-Length: 2\r\n\r\n")).await;
        assert!(!upload.waits_for_client(), "nobody reads");
        assert!(timeout(DROPPING_TIME, upload.frame()).await.is_err());
        assert!(upload.waits_for_client());
        client.write_all(b"x").await.unwrap();
        upload.frame().await.unwrap().unwrap();
        assert!(!upload.waits_for_client(), "the reader has what was sent");
    }

    #[tokio::test(start_paused = true)]
    async fn an_abandoned_body_ends_for_its_reader() {
        let (_client, upload) = receive(&post("Content-Length: 100\r\n\r\n")).await;
        let mut read = upload.clone();
        let reading = tokio::spawn(async move { error_of(read.frame().await) });
        tokio::task::yield_now().await;
        assert!(upload.is_shared());
        upload.abandon();
        assert_eq!(reading.await.unwrap(), UploadError::Abandoned);
        assert!(!upload.is_shared());
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_is_sent_again_while_all_of_it_is_kept() {
        let (mut client, mut upload) = receive(&post("Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n")).await;
        let mut first = upload.clone();
        assert_eq!(first.frame().await.unwrap().unwrap().into_data().unwrap(), "ab");
        assert!(upload.rewind());
        let mut second = upload.clone();
        assert_eq!(error_of(first.frame().await), UploadError::Abandoned, "only the last attempt reads");
        assert_eq!(second.frame().await.unwrap().unwrap().into_data().unwrap(), "ab");
        client.write_all(b"1\r\nc\r\n").await.unwrap();
        assert_eq!(second.frame().await.unwrap().unwrap().into_data().unwrap(), "c");
        assert!(upload.rewind());
        let mut third = upload.clone();
        let mut text = Vec::new();
        while text.len() < 3 {
            text.extend(third.frame().await.unwrap().unwrap().into_data().unwrap());
        }
        assert_eq!(text, b"abc");
        client
            .write_all(format!("{KEPT_BYTES:x}\r\n{}\r\n", "x".repeat(KEPT_BYTES)).as_bytes())
            .await
            .unwrap();
        while text.len() < KEPT_BYTES {
            text.extend(third.frame().await.unwrap().unwrap().into_data().unwrap());
        }
        assert!(!upload.rewind(), "more was read than is kept");
        let (_client, mut upload) = receive(&post("Content-Length: 100000\r\n\r\nab")).await;
        upload.clone().frame().await.unwrap().unwrap();
        assert!(!upload.rewind(), "more was announced than is kept");
    }

    #[tokio::test(start_paused = true)]
    async fn a_response_ends_what_is_kept() {
        let (_client, mut upload) = receive(&post("Content-Length: 10\r\n\r\nab")).await;
        upload.clone().frame().await.unwrap().unwrap();
        upload.note_response();
        assert!(!upload.rewind());
    }

    #[tokio::test(start_paused = true)]
    async fn a_small_rest_is_dropped() {
        let chunk = "x".repeat(1000);
        for (framing, is_finished) in [
            ("Content-Length: 9\r\n\r\nnot read.".to_owned(), true),
            ("Content-Length: 10\r\n\r\nnot read.".to_owned(), false),
            (format!("Content-Length: 100000\r\n\r\n{}", "x".repeat(100_000)), false),
            ("Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n".to_owned(), true),
            ("Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n".to_owned(), false),
            (
                format!("Transfer-Encoding: chunked\r\n\r\n{}", format!("3e8\r\n{chunk}\r\n").repeat(100)),
                false,
            ),
        ] {
            let (_client, mut upload) = receive(&post(&framing)).await;
            assert_eq!(upload.drop_rest().await, is_finished, "{}", &framing[..40]);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn another_reader_may_finish_soon() {
        let (mut client, upload) = receive(&post("Content-Length: 3\r\n\r\nab")).await;
        let mut read = upload.clone();
        tokio::spawn(async move { while let Some(Ok(_)) = read.frame().await {} });
        assert!(!upload.is_finished_soon().await);
        client.write_all(b"c").await.unwrap();
        assert!(upload.is_finished_soon().await && upload.is_finished());
    }
}
