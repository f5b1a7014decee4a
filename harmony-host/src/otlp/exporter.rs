//! The exporter of a gateway, and its task.

use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::otlp::collector::Collector;
use crate::otlp::endpoint::Endpoint;
use crate::otlp::headers::Headers;
use crate::otlp::queue::{Counts, Inlet, queue};
use crate::otlp::recording::Recording;
use crate::otlp::sample::Sample;
use crate::otlp::worker::Worker;

/// The exporter of a gateway. A request never waits for it: what cannot be sent in time is dropped and counted.
#[derive(Debug)]
pub(crate) struct Exporter {
    inlet: Inlet,
    counts: Arc<Counts>,
    sample: Sample,
}

/// A running export. Dropping it lets the export run on until the runtime ends.
#[derive(Debug)]
pub(crate) struct Exporting {
    exporter: Arc<Exporter>,
    instance: Arc<OnceLock<String>>,
    stop: Arc<Notify>,
    task: JoinHandle<()>,
}

impl Exporter {
    /// Returns the sample of new traces.
    pub(super) fn sample(&self) -> Sample {
        self.sample
    }

    /// Adds the spans of a request. Neither waits nor fails.
    pub(super) fn add(&self, recording: Box<Recording>) {
        self.inlet.add(recording);
    }

    /// Returns the number of spans that were dropped, or that the collector has not taken.
    pub(crate) fn dropped(&self) -> u64 {
        self.counts.dropped.load(Ordering::Relaxed)
    }
}

impl Exporting {
    /// Starts the export, on the runtime of the caller.
    ///
    /// # Errors
    /// The root certificates of this machine cannot be read.
    pub(crate) fn start(endpoint: Endpoint, headers: &Headers, sample: Sample) -> reqwest::Result<Self> {
        let collector = Collector::new(endpoint, headers)?;
        let (counts, instance, stop) = (Arc::new(Counts::default()), Arc::default(), Arc::new(Notify::new()));
        let (inlet, outlet) = queue(&counts);
        let worker =
            Worker::new(collector, outlet, Arc::clone(&counts), Arc::clone(&instance), Arc::clone(&stop));
        let task = tokio::spawn(worker.run());
        let exporter = Arc::new(Exporter { inlet, counts, sample });
        Ok(Self { exporter, instance, stop, task })
    }

    /// Returns the exporter.
    pub(crate) fn exporter(&self) -> &Arc<Exporter> {
        &self.exporter
    }

    /// Sets the id of the gateway, once it is known: spans have it from then on.
    pub(crate) fn name(&self, gateway: &str) {
        let _ = self.instance.set(gateway.to_owned());
    }

    /// Sends what is left, at most for `limit`. Later spans are dropped.
    pub(crate) async fn finish(mut self, limit: Duration) {
        self.stop.notify_one();
        if timeout(limit, &mut self.task).await.is_err() {
            self.task.abort();
            let spans = self.exporter.counts.waiting.load(Ordering::Relaxed);
            tracing::warn!(spans, "stopped before these spans were exported");
        }
    }
}
