//! The queue of recordings: bounded, so that a collector that is away neither holds requests nor fills the memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Notify;
use tokio::sync::mpsc::{self, Receiver, Sender};

use crate::otlp::recording::Recording;

/// The most requests whose spans wait. Further ones are dropped and counted.
const WAITING: usize = 4096;

/// The most requests in a batch.
pub(super) const BATCH: usize = 256;

/// The numbers of spans.
#[derive(Debug, Default)]
pub(super) struct Counts {
    /// Spans whose fate is open.
    pub(super) waiting: AtomicU64,
    /// Spans that no collector has taken.
    pub(super) dropped: AtomicU64,
}

/// The end of the queue at which requests arrive.
#[derive(Debug)]
pub(super) struct Inlet {
    sender: Sender<Box<Recording>>,
    counts: Arc<Counts>,
    has_batch: Arc<Notify>,
}

/// The end of the queue from which batches are taken.
#[derive(Debug)]
pub(super) struct Outlet {
    pub(super) receiver: Receiver<Box<Recording>>,
    /// Signals that a batch waits.
    pub(super) has_batch: Arc<Notify>,
}

/// Creates a queue.
pub(super) fn queue(counts: &Arc<Counts>) -> (Inlet, Outlet) {
    let (sender, receiver) = mpsc::channel(WAITING);
    let has_batch = Arc::new(Notify::new());
    let inlet = Inlet { sender, counts: Arc::clone(counts), has_batch: Arc::clone(&has_batch) };
    (inlet, Outlet { receiver, has_batch })
}

impl Inlet {
    /// Adds a recording, or drops and counts it if there is no room. Neither waits nor fails.
    pub(super) fn add(&self, recording: Box<Recording>) {
        let spans = recording.spans() as u64;
        self.counts.waiting.fetch_add(spans, Ordering::Relaxed);
        match self.sender.try_send(recording) {
            Ok(()) if self.sender.max_capacity() - self.sender.capacity() == BATCH => {
                self.has_batch.notify_one();
            }
            Ok(()) => {}
            Err(_) => self.counts.drop_spans(spans),
        }
    }
}

impl Outlet {
    /// Returns whether a whole batch waits.
    pub(super) fn is_ready(&self) -> bool {
        self.receiver.len() >= BATCH
    }

    /// Returns `first` and those that wait behind it, as one batch.
    #[expect(clippy::vec_box, reason = "recordings come in boxes, and move through the queue as pointers")]
    pub(super) fn batch(&mut self, first: Box<Recording>) -> Vec<Box<Recording>> {
        let mut batch = vec![first];
        while batch.len() < BATCH
            && let Ok(next) = self.receiver.try_recv()
        {
            batch.push(next);
        }
        batch
    }
}

impl Counts {
    /// Counts spans that were waiting and are dropped.
    pub(super) fn drop_spans(&self, spans: u64) {
        self.dropped.fetch_add(spans, Ordering::Relaxed);
        self.settle(spans);
    }

    /// Counts spans whose fate is known.
    pub(super) fn settle(&self, spans: u64) {
        self.waiting.fetch_sub(spans, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;
    use crate::trace::Identity;

    fn recording() -> Box<Recording> {
        let request = Request::new(());
        let identity = Identity::of(request.headers());
        let mut recording = Recording::begin("192.0.2.7:80".parse().unwrap(), &request, &identity);
        recording.attempt(1, "http://192.0.2.8");
        Box::new(recording)
    }

    #[test]
    fn what_does_not_fit_is_counted() {
        let counts = Arc::new(Counts::default());
        let (inlet, mut outlet) = queue(&counts);
        (0..WAITING + 10).for_each(|_| inlet.add(recording()));
        assert_eq!(counts.dropped.load(Ordering::Relaxed), 20);
        assert_eq!(counts.waiting.load(Ordering::Relaxed), 2 * WAITING as u64);
        let first = outlet.receiver.try_recv().unwrap();
        assert_eq!(outlet.batch(first).len(), BATCH);
    }

    #[tokio::test]
    async fn a_whole_batch_is_signalled() {
        let (inlet, outlet) = queue(&Arc::default());
        (0..BATCH).for_each(|_| inlet.add(recording()));
        outlet.has_batch.notified().await;
        assert!(outlet.is_ready());
    }
}
