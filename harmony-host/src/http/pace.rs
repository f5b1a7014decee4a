//! The pace of a client in one exchange. When places run out, the exchange that its client holds up the most gives way.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

/// The least pace of a client, in bytes a second. Each byte makes up for its part of the time for which the client was
/// waited for.
const LEAST_PACE: u64 = 4 * 1024;

/// The time by which a client must be behind before its exchange can give way.
pub(crate) const PATIENCE: Duration = Duration::from_secs(2);

/// The value of [`Pace::behind_since`] for a client that is not behind.
const ON_TIME: u64 = u64::MAX;

/// The pace of a client in one exchange, or on one connection of HTTP/1, which has one exchange at a time.
///
/// A client is behind from the moment on which the gateway waits for it: for a part of a request body, or until it takes a
/// part of its response. The bytes that pass reduce the time. So a client that sends a byte from time to time falls behind
/// as a silent one does. An exchange that waits for its backend is not behind.
#[derive(Debug)]
pub(crate) struct Pace {
    origin: Instant,
    /// The time since which the client is behind, in milliseconds.
    behind_since: AtomicU64,
    is_told: AtomicBool,
    told_to_end: Notify,
}

impl Pace {
    /// Creates the pace of a client that is on time.
    pub(crate) fn new() -> Self {
        Self {
            origin: Instant::now(),
            behind_since: AtomicU64::new(ON_TIME),
            is_told: AtomicBool::new(false),
            told_to_end: Notify::new(),
        }
    }

    /// Notes that the client is waited for.
    pub(crate) fn wait(&self) {
        if self.behind_since.load(Ordering::Relaxed) == ON_TIME {
            self.behind_since.store(self.now(), Ordering::Relaxed);
        }
    }

    /// Notes bytes from the client or for it. `still_waits` says that it is waited for nevertheless.
    pub(crate) fn advance(&self, bytes: usize, still_waits: bool) {
        let since = self.behind_since.load(Ordering::Relaxed);
        if since == ON_TIME {
            return;
        }
        let now = self.now();
        let made_up = (bytes as u64).saturating_mul(1000) / LEAST_PACE;
        let since = match since.saturating_add(made_up) {
            since if since < now => since,
            _ if still_waits => now,
            _ => ON_TIME,
        };
        self.behind_since.store(since, Ordering::Relaxed);
    }

    /// Notes that the client is on time, whatever passed before.
    pub(crate) fn reset(&self) {
        self.behind_since.store(ON_TIME, Ordering::Relaxed);
    }

    /// Returns the time by which the client is behind.
    pub(crate) fn behind(&self) -> Duration {
        match self.behind_since.load(Ordering::Relaxed) {
            ON_TIME => Duration::ZERO,
            since => Duration::from_millis(self.now().saturating_sub(since)),
        }
    }

    /// Returns whether the client is so far behind that its exchange can give way, and was not told yet.
    pub(crate) fn can_give_way(&self) -> bool {
        self.behind() >= PATIENCE && !self.is_told.load(Ordering::Relaxed)
    }

    /// Tells the exchange to end.
    pub(crate) fn end(&self) {
        self.is_told.store(true, Ordering::Relaxed);
        self.told_to_end.notify_one();
    }

    /// Waits until the exchange is told to end. It goes on if its client has caught up. Cancel safe.
    pub(crate) async fn must_end(&self) {
        loop {
            self.told_to_end.notified().await;
            if self.behind() >= PATIENCE {
                return;
            }
            self.is_told.store(false, Ordering::Relaxed);
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.origin.elapsed().as_millis()).unwrap_or(ON_TIME - 1)
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{advance, timeout};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn only_waiting_clients_are_behind() {
        let pace = Pace::new();
        advance(100 * SECOND).await;
        pace.advance(1, false);
        assert_eq!(pace.behind(), Duration::ZERO);
        pace.wait();
        advance(3 * SECOND).await;
        assert_eq!(pace.behind(), 3 * SECOND);
        pace.reset();
        assert_eq!(pace.behind(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn a_byte_from_time_to_time_is_not_enough() {
        let pace = Pace::new();
        for _ in 0..100 {
            pace.wait();
            advance(SECOND / 10).await;
            pace.advance(1, false);
        }
        assert!(pace.behind() > 9 * SECOND, "{:?}", pace.behind());
    }

    #[tokio::test(start_paused = true)]
    async fn bytes_make_up_for_the_wait() {
        for (bytes, still_waits, behind) in
            [(4096, false, 2), (2 * 4096, false, 1), (3 * 4096, false, 0), (1024 * 1024, true, 0)]
        {
            let pace = Pace::new();
            pace.wait();
            advance(3 * SECOND).await;
            pace.advance(bytes, still_waits);
            assert_eq!(pace.behind(), behind * SECOND, "{bytes}");
            advance(SECOND).await;
            let goes_on = behind > 0 || still_waits;
            assert_eq!(pace.behind(), if goes_on { (behind + 1) * SECOND } else { Duration::ZERO });
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_has_caught_up_goes_on() {
        let pace = Pace::new();
        pace.wait();
        advance(5 * SECOND).await;
        pace.end();
        pace.reset();
        assert!(timeout(SECOND, pace.must_end()).await.is_err());
        pace.wait();
        advance(5 * SECOND).await;
        pace.end();
        assert!(timeout(SECOND, pace.must_end()).await.is_ok());
    }
}
