//! The body of a response on its way through the proxy.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::Full;
use tokio::time::Instant;

use crate::http::timer::Timer;
use crate::http::trailers;
use crate::metrics::{Fault, PipelineTraffic, TroubleKind};

/// An error in the middle of a body.
pub(crate) type BodyError = Box<dyn std::error::Error + Send + Sync>;

/// The body of a response.
#[derive(Debug)]
pub(crate) enum Body {
    /// No data, or no more data.
    Empty,
    /// All data at once.
    Full(Bytes),
    /// Data as it arrives from a backend; an error ends it if the backend sends nothing for too long.
    Streaming(Stream),
}

/// A body of a backend.
pub(crate) type Incoming = Box<dyn HttpBody<Data = Bytes, Error = BodyError> + Send + Unpin>;

/// The body of a response from a backend, with an idle timeout.
pub(crate) struct Stream {
    incoming: Incoming,
    /// The counters of the pipeline, which also limit the log.
    traffic: Arc<PipelineTraffic>,
    /// The error that the next poll returns.
    failed: Option<BodyError>,
    idle_timeout: Duration,
    timer: Timer,
    /// The end of the idle timeout; `None` while data arrives.
    deadline: Option<Instant>,
}

impl Body {
    pub(crate) fn streaming(
        incoming: Incoming,
        traffic: Arc<PipelineTraffic>,
        idle_timeout: Duration,
    ) -> Self {
        if incoming.is_end_stream() {
            Self::Empty
        } else {
            Self::Streaming(Stream {
                incoming,
                traffic,
                failed: None,
                idle_timeout,
                timer: Timer::default(),
                deadline: None,
            })
        }
    }
}

impl From<Full<Bytes>> for Body {
    fn from(full: Full<Bytes>) -> Self {
        Self::Full(full.into_inner().unwrap_or_default())
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self.get_mut() {
            Self::Empty => Poll::Ready(None),
            Self::Full(bytes) if bytes.is_empty() => Poll::Ready(None),
            Self::Full(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Self::Streaming(stream) => stream.poll(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Full(bytes) => bytes.is_empty(),
            Self::Streaming(stream) => stream.incoming.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Streaming(stream) => stream.incoming.size_hint(),
        }
    }
}

impl Stream {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if let Some(error) = self.failed.take() {
            return Poll::Ready(Some(Err(error)));
        }
        let error = match Pin::new(&mut self.incoming).poll_frame(cx) {
            Poll::Ready(Some(Err(error))) => error,
            Poll::Ready(frame) => {
                self.deadline = None;
                return Poll::Ready(frame.map(|frame| frame.map(trailers::checked)));
            }
            Poll::Pending => {
                let deadline = *self.deadline.get_or_insert_with(|| Instant::now() + self.idle_timeout);
                std::task::ready!(self.timer.poll_until(cx, deadline));
                BodyError::from("the backend sent nothing for too long in the middle of its response")
            }
        };
        self.traffic.failed(Fault::Aborted);
        let backend = TroubleKind::Backend { origin: None, fault: Fault::Aborted };
        self.traffic.troubles.note(backend, &error.to_string(), Fault::Aborted.remedy());
        if let Some(unlogged) = self.traffic.failures.is_due() {
            let pipeline = &*self.traffic.name;
            tracing::warn!(pipeline, %error, unlogged, "the answer of the backend ended early");
        }
        // hyper drops what it has not sent when the body fails, the head too. It sends that while the body waits.
        self.failed = Some(error);
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stream").field("pipeline", &self.traffic.name).finish_non_exhaustive()
    }
}

/// Waits for `work`, which has begun at `start` or begins now, while `progress` changes at least once per `idle_timeout`, which
/// `timer` measures. If no progress wakes the
/// task, the end is up to twice as late.
///
/// # Errors
/// `Err(())` if `progress` did not change for `idle_timeout`.
pub(crate) async fn with_idle_timeout<T: Send>(
    work: impl Future<Output = T> + Send,
    idle_timeout: Duration,
    timer: &mut Timer,
    start: Option<Instant>,
    progress: impl Fn() -> u32 + Send + Sync,
) -> Result<T, ()> {
    let mut work = std::pin::pin!(work);
    let mut seen = progress();
    let mut deadline = start.map(|start| start + idle_timeout);
    std::future::poll_fn(|cx| {
        if let Poll::Ready(done) = work.as_mut().poll(cx) {
            return Poll::Ready(Ok(done));
        }
        let now = progress();
        if now != seen {
            (seen, deadline) = (now, None);
        }
        let end = *deadline.get_or_insert_with(|| Instant::now() + idle_timeout);
        timer.poll_until(cx, end).map(Err)
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn progress_extends_the_deadline() {
        let idle_timeout = Duration::from_secs(10);
        let never = std::future::pending::<()>();
        let mut timer = Timer::default();
        assert_eq!(with_idle_timeout(never, idle_timeout, &mut timer, None, || 0).await, Err(()));

        let ticks = AtomicU32::new(0);
        let slow = async {
            for _ in 0..5 {
                tokio::time::sleep(Duration::from_secs(8)).await;
                ticks.fetch_add(1, Ordering::Relaxed);
            }
        };
        let progress = || ticks.load(Ordering::Relaxed);
        assert_eq!(with_idle_timeout(slow, idle_timeout, &mut timer, None, progress).await, Ok(()));

        let start = Instant::now();
        let stops = async {
            tokio::time::sleep(Duration::from_secs(8)).await;
            ticks.fetch_add(1, Ordering::Relaxed);
            std::future::pending::<()>().await;
        };
        assert_eq!(with_idle_timeout(stops, idle_timeout, &mut timer, None, progress).await, Err(()));
        assert_eq!(start.elapsed().as_secs(), 18);
    }
}
