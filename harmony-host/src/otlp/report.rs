//! The log lines about the export: at most one warning a minute, whatever the collector does.

use std::time::Duration;

use tokio::time::Instant;

use crate::otlp::endpoint::Endpoint;

/// The time between two warnings.
const INTERVAL: Duration = Duration::from_secs(60);

/// The state of the log lines.
#[derive(Debug, Default)]
pub(super) struct Report {
    last: Option<Instant>,
    /// The number of dropped spans that the log tells about.
    told: u64,
    /// Set when the last line says that spans cannot be exported.
    is_failing: bool,
}

impl Report {
    /// Warns of a batch that was not taken.
    pub(super) fn failed(&mut self, endpoint: &Endpoint, reason: &str, dropped: u64) {
        if self.is_due() {
            let spans = self.untold(dropped);
            tracing::warn!(%endpoint, reason, dropped = spans, "spans cannot be exported");
            self.is_failing = true;
        }
    }

    /// Tells of a batch that was taken, and warns of spans that were dropped meanwhile.
    pub(super) fn taken(&mut self, endpoint: &Endpoint, dropped: u64) {
        if std::mem::take(&mut self.is_failing) {
            tracing::info!(%endpoint, dropped = self.untold(dropped), "spans are exported again");
        }
        if dropped > self.told && self.is_due() {
            let spans = self.untold(dropped);
            tracing::warn!(%endpoint, dropped = spans, "spans were dropped: the collector is too slow, or rejects them");
        }
    }

    /// Warns at the end of spans that no line has told about.
    pub(super) fn end(&mut self, endpoint: &Endpoint, dropped: u64) {
        let spans = self.untold(dropped);
        if spans > 0 {
            tracing::warn!(%endpoint, dropped = spans, "spans were dropped");
        }
    }

    fn is_due(&mut self) -> bool {
        let now = Instant::now();
        let is_due = self.last.is_none_or(|last| now - last >= INTERVAL);
        if is_due {
            self.last = Some(now);
        }
        is_due
    }

    fn untold(&mut self, dropped: u64) -> u64 {
        dropped - std::mem::replace(&mut self.told, dropped).min(dropped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_warning_a_minute() {
        let mut report = Report::default();
        assert!(report.is_due());
        assert!(!report.is_due());
        tokio::time::sleep(INTERVAL).await;
        assert!(report.is_due());
        assert_eq!((report.untold(5), report.untold(5), report.untold(7)), (5, 0, 2));
    }
}
