//! A timer for deadlines that rarely pass.

use std::fmt;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use tokio::time::{Instant, Sleep};

/// A timer that one deadline after the other uses. A later deadline leaves it set for the earlier one, and sets it again only
/// when that has passed: most requests end long before, and so set no timer.
#[derive(Default)]
pub(crate) struct Timer(Option<Pin<Box<Sleep>>>);

impl Timer {
    /// Waits until `deadline`.
    pub(crate) fn poll_until(&mut self, cx: &mut Context<'_>, deadline: Instant) -> Poll<()> {
        let sleep = self.0.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        if sleep.deadline() > deadline {
            sleep.as_mut().reset(deadline);
        }
        loop {
            ready!(sleep.as_mut().poll(cx));
            if sleep.deadline() >= deadline {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(deadline);
        }
    }
}

impl fmt::Debug for Timer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Timer").field(&self.0.as_ref().map(|sleep| sleep.deadline())).finish()
    }
}

/// The timer of a connection. A request takes it, and puts it back for the next one.
#[derive(Debug, Default)]
pub(crate) struct TimerSlot(Mutex<Timer>);

impl TimerSlot {
    /// Takes the timer, or a new one if another request has it.
    pub(crate) fn take(&self) -> Timer {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts a timer back.
    pub(crate) fn put(&self, timer: Timer) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = timer;
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn deadlines_pass_at_their_time() {
        let mut timer = Timer::default();
        let start = Instant::now();
        // Each has its own time: later than the one before, earlier, the same, and in the past.
        for seconds in [5, 9, 12, 12, 3] {
            let deadline = start + Duration::from_secs(seconds);
            // One that was waited for in vain leaves the timer set.
            let other = deadline + Duration::from_secs(20);
            let waiting = poll_fn(|cx| timer.poll_until(cx, other));
            assert!(tokio::time::timeout(Duration::from_millis(1), waiting).await.is_err());
            poll_fn(|cx| timer.poll_until(cx, deadline)).await;
            let late = Instant::now().saturating_duration_since(deadline.max(start));
            assert!(seconds == 3 || late <= Duration::from_millis(3), "{seconds} {late:?}");
        }
        assert!(start.elapsed() < Duration::from_secs(13));
    }

    /// The next deadline is watched by another task.
    #[tokio::test(start_paused = true)]
    async fn a_slot_gives_the_timer_to_the_next_request() {
        let slot = std::sync::Arc::new(TimerSlot::default());
        for seconds in [30, 1, 40] {
            let slot = std::sync::Arc::clone(&slot);
            let waiting = tokio::spawn(async move {
                let mut timer = slot.take();
                let deadline = Instant::now() + Duration::from_secs(seconds);
                poll_fn(|cx| timer.poll_until(cx, deadline)).await;
                slot.put(timer);
                deadline.elapsed()
            });
            assert!(waiting.await.unwrap() <= Duration::from_millis(1));
        }
    }
}
