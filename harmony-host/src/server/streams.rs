//! The tasks of HTTP/2 streams, which end when the client takes nothing of its response.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use hyper::rt::Executor;
use tokio::time::Instant;

use crate::http::pace::Pace;
use crate::http::stall::STALL_TIMEOUT;
use crate::server::in_flight::{Activity, millis_since};

tokio::task_local! {
    /// The progress of the response on the stream of this task.
    static PROGRESS: Arc<Progress>;
}

/// The progress of the response on one stream. The socket of a connection flows on while the client permits no bytes of
/// one stream, so that the deadline of the socket does not see it.
#[derive(Debug)]
pub(super) struct Progress {
    created: Instant,
    /// The number of parts that wait for the client.
    waiting: AtomicUsize,
    /// The time of the last change of `waiting`, in milliseconds since `created`.
    changed: AtomicU64,
    pace: Arc<Pace>,
}

/// A part of a response that waits for the client, until it is dropped.
#[derive(Debug)]
pub(super) struct Waiting {
    progress: Arc<Progress>,
    bytes: usize,
}

impl Progress {
    fn new() -> Self {
        Self {
            created: Instant::now(),
            waiting: AtomicUsize::new(0),
            changed: AtomicU64::new(0),
            pace: Arc::new(Pace::new()),
        }
    }

    /// Returns the progress of the stream that this task serves; `None` outside of HTTP/2.
    pub(super) fn current() -> Option<Arc<Self>> {
        PROGRESS.try_with(Arc::clone).ok()
    }

    /// Returns the pace of the client on this stream.
    pub(super) fn pace(&self) -> &Arc<Pace> {
        &self.pace
    }

    /// Notes a part of `bytes` bytes.
    pub(super) fn wait(self: &Arc<Self>, bytes: usize) -> Waiting {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        self.change();
        self.pace.wait();
        Waiting { progress: Arc::clone(self), bytes }
    }

    fn change(&self) {
        self.changed.store(millis_since(self.created), Ordering::Relaxed);
    }

    /// Waits until parts have waited for [`STALL_TIMEOUT`] without progress.
    async fn stalled(&self) {
        loop {
            let since = self.created + Duration::from_millis(self.changed.load(Ordering::Relaxed));
            let is_waiting = self.waiting.load(Ordering::Relaxed) > 0;
            if is_waiting && since.elapsed() >= STALL_TIMEOUT {
                return;
            }
            let next = if is_waiting { since } else { Instant::now() };
            tokio::time::sleep_until(next + STALL_TIMEOUT).await;
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let others = self.progress.waiting.fetch_sub(1, Ordering::Relaxed) - 1;
        self.progress.change();
        self.progress.pace.advance(self.bytes, others > 0);
    }
}

/// The executor of the streams of one HTTP/2 connection.
#[derive(Clone, Debug)]
pub(super) struct Streams(pub(super) Arc<Activity>);

impl<F> Executor<F> for Streams
where
    F: Future<Output: Send> + Send + 'static,
{
    fn execute(&self, stream: F) {
        let progress = Arc::new(Progress::new());
        let watched = Arc::clone(&progress);
        let open = self.0.open_stream(Arc::clone(&progress.pace));
        let serving = async move {
            let _open = open;
            // Dropping the stream resets it.
            tokio::select! {
                _ = stream => {}
                () = watched.stalled() => tracing::debug!("a client takes nothing of its response; the stream is reset"),
                () = watched.pace.must_end() => tracing::debug!("a slow stream is reset, since its place is needed"),
            }
        };
        tokio::spawn(PROGRESS.scope(progress, serving));
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;
    use tokio::time::timeout;

    use super::*;

    /// Executes a stream and returns the receiver of what its end sends.
    fn execute(parts: usize, interval: Duration) -> oneshot::Receiver<()> {
        let (ended, end) = oneshot::channel();
        Streams(Arc::new(Activity::new(Instant::now(), Arc::default()))).execute(async move {
            let _ended = ended;
            let progress = Progress::current().unwrap();
            let mut waiting = None;
            for _ in 0..parts {
                waiting = Some(progress.wait(1));
                tokio::time::sleep(interval).await;
            }
            let _waiting = waiting;
            std::future::pending::<()>().await;
        });
        end
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_without_progress_is_dropped() {
        let end = execute(1, Duration::ZERO);
        assert!(timeout(3 * STALL_TIMEOUT, end).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn progress_keeps_a_stream() {
        let mut end = execute(10, STALL_TIMEOUT / 2);
        assert!(timeout(5 * STALL_TIMEOUT, &mut end).await.is_err());
        assert!(timeout(3 * STALL_TIMEOUT, end).await.is_ok());
    }

    /// A response that does not begin waits for its backend, not for the client.
    #[tokio::test(start_paused = true)]
    async fn a_stream_without_a_response_is_kept() {
        assert!(timeout(100 * STALL_TIMEOUT, execute(0, Duration::ZERO)).await.is_err());
    }
}
