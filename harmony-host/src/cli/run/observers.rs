//! The records of requests that leave the process: the access log, and spans.

use std::sync::Arc;
use std::time::Duration;

use crate::access_log::AccessLog;
use crate::metrics::Traffic;
#[cfg(feature = "otlp")]
use crate::otlp::Exporting;

/// The time that the access log gets at the end of the process to write its last lines.
const ACCESS_LOG_FINISH: Duration = Duration::from_secs(1);

/// The time that the export of spans gets at the end of the process to send its last ones.
#[cfg(feature = "otlp")]
const SPANS_FINISH: Duration = Duration::from_secs(2);

/// The access log and the export of spans, as far as they are wanted.
#[derive(Debug)]
pub(super) struct Observers {
    pub(super) access_log: Option<Arc<AccessLog>>,
    #[cfg(feature = "otlp")]
    pub(super) spans: Option<Exporting>,
}

impl Observers {
    /// Returns the access log, if there is one.
    pub(super) fn access_log(&self) -> Option<&Arc<AccessLog>> {
        self.access_log.as_ref()
    }

    /// Returns the traffic of a gateway with these observers.
    pub(super) fn traffic(&self, is_counted: bool) -> Traffic {
        let traffic = Traffic::new(is_counted, self.access_log.clone());
        #[cfg(feature = "otlp")]
        let traffic = traffic.exporting(self.spans.as_ref().map(|spans| Arc::clone(spans.exporter())));
        traffic
    }

    /// Tells the observers the id of the gateway.
    #[cfg_attr(not(feature = "otlp"), expect(unused_variables, reason = "only spans have it"))]
    pub(super) fn name(&self, gateway: &str) {
        #[cfg(feature = "otlp")]
        self.spans.iter().for_each(|spans| spans.name(gateway));
    }

    /// Writes and sends what is left, within bounded time. Blocks the thread for the access log.
    pub(super) async fn finish(self) {
        #[cfg(feature = "otlp")]
        if let Some(spans) = self.spans {
            spans.finish(SPANS_FINISH).await;
        }
        if let Some(access_log) = self.access_log {
            access_log.finish(ACCESS_LOG_FINISH);
        }
    }
}
