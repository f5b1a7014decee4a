//! The task that sends batches to the collector.

use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

use crate::otlp::collector::{Collector, Failure};
use crate::otlp::encode::encode;
use crate::otlp::queue::{Counts, Outlet};
use crate::otlp::report::Report;

/// The time in which requests gather for a batch.
const GATHERING: Duration = Duration::from_secs(1);

/// The time before the first repetition. It doubles with each one until the collector takes a batch.
const FIRST_BACKOFF: Duration = Duration::from_secs(1);

/// The longest time before a repetition, also if the collector wants a longer one.
const MAX_BACKOFF: Duration = Duration::from_secs(30);

/// The time after which a batch is no longer repeated, but dropped.
const GIVE_UP: Duration = Duration::from_secs(60);

/// The work of the task.
pub(super) struct Worker {
    pub(super) collector: Collector,
    pub(super) outlet: Outlet,
    pub(super) counts: Arc<Counts>,
    pub(super) instance: Arc<OnceLock<String>>,
    /// Signals that the gateway stops.
    pub(super) stop: Arc<Notify>,
    pub(super) report: Report,
    pub(super) backoff: Duration,
    pub(super) is_stopping: bool,
}

impl Worker {
    /// Creates the work of a task.
    pub(super) fn new(
        collector: Collector,
        outlet: Outlet,
        counts: Arc<Counts>,
        instance: Arc<OnceLock<String>>,
        stop: Arc<Notify>,
    ) -> Self {
        let (report, backoff) = (Report::default(), FIRST_BACKOFF);
        Self { collector, outlet, counts, instance, stop, report, backoff, is_stopping: false }
    }

    /// Sends batches until the gateway stops, and then what is left, each batch once.
    pub(super) async fn run(mut self) {
        loop {
            let first = tokio::select! {
                first = self.outlet.receiver.recv() => first,
                () = self.stop.notified(), if !self.is_stopping => {
                    self.begin_stop();
                    continue;
                }
            };
            let Some(first) = first else { break };
            if !self.is_stopping && !self.outlet.is_ready() {
                tokio::select! {
                    () = sleep(GATHERING) => {}
                    () = self.outlet.has_batch.notified() => {}
                    () = self.stop.notified() => self.begin_stop(),
                }
            }
            let batch = self.outlet.batch(first);
            let spans = batch.iter().map(|recording| recording.spans() as u64).sum();
            let body = encode(&batch, self.instance.get().map(String::as_str));
            drop(batch);
            self.deliver(body.into(), spans).await;
        }
        self.report.end(self.collector.endpoint(), self.dropped());
    }

    /// Takes no further recordings.
    fn begin_stop(&mut self) {
        self.is_stopping = true;
        self.outlet.receiver.close();
    }

    /// Sends a batch, again and again for a while. What is not taken then is dropped and counted.
    async fn deliver(&mut self, body: Bytes, spans: u64) {
        let since = Instant::now();
        loop {
            let (reason, wanted) = match self.collector.send(body.clone()).await {
                Ok(rejected) => {
                    let rejected = rejected.min(spans);
                    self.counts.drop_spans(rejected);
                    self.counts.settle(spans - rejected);
                    self.backoff = FIRST_BACKOFF;
                    self.report.taken(self.collector.endpoint(), self.dropped());
                    return;
                }
                Err(Failure::Passing(reason, wanted)) => (reason, wanted),
                Err(Failure::Lasting(reason)) => {
                    self.counts.drop_spans(spans);
                    self.report.failed(self.collector.endpoint(), &reason, self.dropped());
                    return;
                }
            };
            let pause = self.backoff.max(wanted.unwrap_or_default()).min(MAX_BACKOFF);
            self.backoff = (2 * self.backoff).min(MAX_BACKOFF);
            // Gateways that lost the same collector do not all come back at once.
            let pause = pause.mul_f64(1.0 + fastrand::f64() / 4.0);
            if self.is_stopping || since.elapsed() + pause > GIVE_UP {
                self.counts.drop_spans(spans);
                self.report.failed(self.collector.endpoint(), &reason, self.dropped());
                return;
            }
            self.report.failed(self.collector.endpoint(), &reason, self.dropped());
            tokio::select! {
                () = sleep(pause) => {}
                () = self.stop.notified() => self.begin_stop(),
            }
        }
    }

    fn dropped(&self) -> u64 {
        self.counts.dropped.load(Ordering::Relaxed)
    }
}
