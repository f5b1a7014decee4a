//! The deadline of a blocked write, for peers that do not read.

use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::Sleep;

/// The longest time in which a peer may take none of the bytes that are written to it.
pub(crate) const STALL_TIMEOUT: Duration = Duration::from_secs(60);

/// The timer of blocked writes on one socket. It exists only while a write is blocked, so a flowing one costs no timer.
#[derive(Debug, Default)]
pub(crate) struct Stall(Option<Pin<Box<Sleep>>>);

impl Stall {
    /// Returns `written`, the result of a write, or an error if writes have been blocked for [`STALL_TIMEOUT`].
    ///
    /// # Errors
    /// `TimedOut`.
    pub(crate) fn check<T>(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.0 = None;
            return written;
        }
        let timer = self.0.get_or_insert_with(|| Box::pin(tokio::time::sleep(STALL_TIMEOUT)));
        timer.as_mut().poll(cx).map(|()| Err(ErrorKind::TimedOut.into()))
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn blocked_writes_time_out() {
        let mut stall = Stall::default();
        let blocked = poll_fn(|cx| stall.check(cx, Poll::<io::Result<usize>>::Pending)).await;
        assert_eq!(blocked.unwrap_err().kind(), ErrorKind::TimedOut);
    }

    #[tokio::test(start_paused = true)]
    async fn progress_ends_the_timer() {
        let mut stall = Stall::default();
        for _ in 0..5 {
            let blocked = poll_fn(|cx| stall.check(cx, Poll::<io::Result<usize>>::Pending));
            assert!(tokio::time::timeout(STALL_TIMEOUT / 2, blocked).await.is_err());
            assert_eq!(poll_fn(|cx| stall.check(cx, Poll::Ready(Ok(1)))).await.unwrap(), 1);
        }
    }
}
