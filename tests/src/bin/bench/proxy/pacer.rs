//! The clock of a load at a constant rate.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

/// The times at which requests are due: one after the other, over all connections in turn.
#[derive(Clone, Copy, Debug)]
pub(super) struct Schedule {
    pub(super) start: Instant,
    pub(super) requests_per_second: f64,
    pub(super) connections: usize,
}

impl Schedule {
    /// The time at which request `turn` of `connection` is due, both counted from 0.
    pub(super) fn due(&self, connection: usize, turn: usize) -> Instant {
        let n = turn * self.connections + connection;
        self.start + Duration::from_secs_f64(n as f64 / self.requests_per_second)
    }
}

/// A thread that wakes each connection when its next request is due. Ends when it is dropped.
///
/// The timers of tokio have a resolution of a millisecond, which is longer than most responses take. A thread that waits
/// is precise to about 0.1 ms, and leaves the CPU to the upstream meanwhile.
#[derive(Debug)]
pub(super) struct Pacer {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Pacer {
    /// Starts the thread. `wakes` has one element for each connection.
    pub(super) fn start(schedule: Schedule, wakes: Vec<Arc<Notify>>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            for turn in 0.. {
                for (connection, wake) in wakes.iter().enumerate() {
                    let due = schedule.due(connection, turn);
                    while let Some(left) =
                        due.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())
                    {
                        if stopped.load(Ordering::Relaxed) {
                            return;
                        }
                        thread::park_timeout(left);
                    }
                    wake.notify_one();
                }
                if stopped.load(Ordering::Relaxed) {
                    return;
                }
            }
        });
        Self { stop, thread: Some(thread) }
    }
}

impl Drop for Pacer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_due_over_all_connections_in_turn() {
        let schedule = Schedule { start: Instant::now(), requests_per_second: 100.0, connections: 4 };
        let millis = |connection, turn| (schedule.due(connection, turn) - schedule.start).as_secs_f64() * 1e3;
        assert_eq!(
            [millis(0, 0), millis(3, 0), millis(0, 1), millis(1, 2)].map(f64::round),
            [0.0, 30.0, 40.0, 90.0]
        );
    }

    #[tokio::test]
    async fn no_connection_is_woken_early() {
        let start = Instant::now();
        let schedule = Schedule { start, requests_per_second: 100.0, connections: 1 };
        let wake = Arc::new(Notify::new());
        let pacer = Pacer::start(schedule, vec![Arc::clone(&wake)]);
        for turn in 0..5 {
            while Instant::now() < schedule.due(0, turn) {
                wake.notified().await;
            }
        }
        drop(pacer);
        assert!(start.elapsed() >= Duration::from_millis(40), "{:?}", start.elapsed());
    }
}
