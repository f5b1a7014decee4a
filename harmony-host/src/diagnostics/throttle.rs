//! A limit for log lines that strangers can cause: at most one a second.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// The time between two lines.
const INTERVAL: Duration = Duration::from_secs(1);

/// The throttle of one kind of log line. A line for each event would fill the log as fast as strangers send requests.
#[derive(Debug, Default)]
pub(crate) struct Throttle(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    last: Option<Instant>,
    suppressed: u64,
}

impl Throttle {
    /// Counts an event. Returns the number of events since the last line if a line is due, without this one.
    pub(crate) fn is_due(&self) -> Option<u64> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if state.last.is_some_and(|last| now - last < INTERVAL) {
            state.suppressed += 1;
            return None;
        }
        state.last = Some(now);
        Some(std::mem::take(&mut state.suppressed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_line_a_second() {
        let throttle = Throttle::default();
        assert_eq!(throttle.is_due(), Some(0));
        for _ in 0..50 {
            assert_eq!(throttle.is_due(), None);
        }
        tokio::time::sleep(INTERVAL).await;
        assert_eq!(throttle.is_due(), Some(50));
        assert_eq!(throttle.is_due(), None);
    }
}
