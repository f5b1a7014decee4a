//! `GET metrics`: the metrics in the text format of Prometheus.

mod control;
#[cfg(feature = "gateway")]
mod requests;
mod writer;

use std::fmt;
use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response, StatusCode};
use http_body_util::Full;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, prometheus_text};
use prometheus_client::registry::Registry;
use tokio::sync::Semaphore;

use crate::host::Control;
use crate::http::respond::problem;
use crate::management::metrics::writer::Writer;
#[cfg(feature = "gateway")]
use crate::metrics::Traffic;
use crate::snapshot::Snapshot;
use crate::status::Status;

/// The most answers that are made at a time: with thousands of pipelines each takes some milliseconds and megabytes.
const SCRAPES: usize = 2;

/// The sources of the metrics.
pub(super) struct Scrape {
    pub(super) snapshot: Arc<Snapshot>,
    pub(super) status: Arc<Status>,
    pub(super) control: Control,
    #[cfg(feature = "gateway")]
    pub(super) traffic: Option<Arc<Traffic>>,
}

impl fmt::Debug for Scrape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scrape").field("snapshot", &self.snapshot).finish_non_exhaustive()
    }
}

impl Collector for Scrape {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut writer = Writer::new(encoder);
        #[cfg(feature = "gateway")]
        if let Some(traffic) = &self.traffic {
            requests::write(&self.snapshot, traffic, &mut writer)?;
        }
        control::write(&self.snapshot, &self.status, &self.control, &mut writer)
    }
}

/// Returns the metrics.
pub(super) async fn metrics(scrape: Scrape) -> Response<Full<Bytes>> {
    static PLACES: LazyLock<Semaphore> = LazyLock::new(|| Semaphore::new(SCRAPES));
    let failed =
        || problem(StatusCode::INTERNAL_SERVER_ERROR, "internal", "the metrics could not be written");
    let Ok(_place) = PLACES.acquire().await else { return failed() };
    let mut registry = Registry::default();
    registry.register_collector(Box::new(scrape));
    // Thousands of series must not hold a thread that serves requests.
    let written = tokio::task::spawn_blocking(move || {
        let mut text = String::new();
        prometheus_text::encode(&mut text, &registry).map(|()| text)
    });
    let Ok(Ok(text)) = written.await else { return failed() };
    let mut response = Response::new(Full::from(text));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(prometheus_text::CONTENT_TYPE));
    response
}
