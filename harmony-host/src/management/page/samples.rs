//! Samples of the counters of requests, taken while the page is open: the numbers of the last minutes are differences.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;

use crate::management::page::api::Api;

/// The least time between two samples. Reading the metrics of thousands of pipelines takes milliseconds.
const INTERVAL: Duration = Duration::from_secs(10);

/// The age of the oldest sample.
const WINDOW: Duration = Duration::from_secs(300);

/// Counters by the value of one label.
type Counts = BTreeMap<String, u64>;

/// The counters at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Counters {
    /// Responses by the class of their status.
    pub(super) responses: Counts,
    /// Requests that the gateway refused, by reason.
    pub(super) refusals: Counts,
    /// Questions for cached answers of a provider, by cache.
    pub(super) lookups: Counts,
    /// Those of them that went to the provider, by cache.
    pub(super) fetches: Counts,
}

/// The numbers of a span of time.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Numbers {
    pub(super) counted: Counters,
    /// The span; `None` for the time since the start of the gateway.
    pub(super) span: Option<Duration>,
}

/// The samples, oldest first.
#[derive(Debug, Default)]
pub(in crate::management) struct Samples(Mutex<VecDeque<(Instant, Counters)>>);

impl Samples {
    /// Takes a sample, unless the last one is new, and returns the numbers; `None` on a gateway that counts nothing.
    pub(super) async fn take(&self, api: &dyn Api) -> Option<Numbers> {
        if !self.is_fresh() {
            let counters = Counters::read(&api.get("metrics").await?);
            let now = Instant::now();
            let mut samples = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            samples.push_back((now, counters));
            // The newest that is older than the window stays: the difference to it covers the window.
            while samples.get(1).is_some_and(|(at, _)| now.duration_since(*at) > WINDOW) {
                samples.pop_front();
            }
        }
        self.numbers()
    }

    fn is_fresh(&self) -> bool {
        let samples = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        samples.back().is_some_and(|(at, _)| at.elapsed() < INTERVAL)
    }

    fn numbers(&self) -> Option<Numbers> {
        let samples = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let ((first, before), (last, now)) = (samples.front()?, samples.back()?);
        let span = last.duration_since(*first);
        Some(match span < WINDOW {
            // Too short to say anything of the last minutes.
            true => Numbers { counted: now.clone(), span: None },
            false => Numbers { counted: now.since(before), span: Some(span) },
        })
    }
}

impl Counters {
    /// Reads the counters in the text format of Prometheus.
    fn read(text: &str) -> Self {
        let mut counters = Self::default();
        for line in text.lines() {
            let Some((name, rest)) = line.split_once('{') else { continue };
            let (counts, label) = match name {
                "harmony_requests_total" => (&mut counters.responses, "class"),
                "harmony_refusals_total" => (&mut counters.refusals, "reason"),
                "harmony_cache_lookups_total" => (&mut counters.lookups, "cache"),
                "harmony_cache_fetches_total" => (&mut counters.fetches, "cache"),
                _ => continue,
            };
            let Some((labels, value)) = rest.rsplit_once("} ") else { continue };
            // The page itself is a client of the management API.
            if label_of(labels, "pipeline") == Some("(management)") {
                continue;
            }
            if let (Some(label), Ok(value)) = (label_of(labels, label), value.trim().parse::<u64>())
                && value > 0
                && !label.starts_with("management_")
            {
                *counts.entry(label.to_owned()).or_default() += value;
            }
        }
        counters
    }

    /// Returns the differences to an earlier sample. A counter that begins anew, such as that of a pipeline that was removed
    /// and came back, counts from 0.
    fn since(&self, before: &Self) -> Self {
        let since = |now: &Counts, before: &Counts| {
            let differences = now.iter().map(|(label, count)| {
                let earlier = before.get(label).copied().unwrap_or_default();
                (label.clone(), count.checked_sub(earlier).unwrap_or(*count))
            });
            differences.filter(|(_, count)| *count > 0).collect()
        };
        Self {
            responses: since(&self.responses, &before.responses),
            refusals: since(&self.refusals, &before.refusals),
            lookups: since(&self.lookups, &before.lookups),
            fetches: since(&self.fetches, &before.fetches),
        }
    }
}

/// Returns the value of a label. A quote inside of a value is escaped, so the text before the name tells them apart.
fn label_of<'l>(labels: &'l str, name: &str) -> Option<&'l str> {
    let start = format!("{name}=\"");
    let found = labels.match_indices(&start).find(|(at, _)| *at == 0 || labels[..*at].ends_with(','));
    let (at, _) = found?;
    labels[at + start.len()..].split('"').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# TYPE harmony_requests counter\n\
        harmony_requests_total{network=\"public\",pipeline=\"a\",route=\"x,class=\\\"9xx\\\"\",class=\"2xx\"} 5\n\
        harmony_requests_total{network=\"public\",pipeline=\"b\",route=\"y\",class=\"2xx\"} 2\n\
        harmony_requests_total{network=\"m\",pipeline=\"(management)\",route=\"\",class=\"2xx\"} 90\n\
        harmony_refusals_total{reason=\"no_route\"} 3\n\
        harmony_refusals_total{reason=\"closed\"} 0\n\
        harmony_refusals_total{reason=\"management_rejected\"} 4\n\
        harmony_sent_bytes_total{network=\"public\",listener=\"l\"} 7\n";

    #[test]
    fn counters_are_summed_over_pipelines() {
        let counters = Counters::read(TEXT);
        assert_eq!(counters.responses, Counts::from([("2xx".to_owned(), 7)]));
        assert_eq!(counters.refusals, Counts::from([("no_route".to_owned(), 3)]));
    }

    #[test]
    fn differences_survive_counters_that_begin_anew() {
        let before = Counters::read(TEXT);
        let now = Counters::read(
            "harmony_requests_total{class=\"2xx\"} 9\nharmony_refusals_total{reason=\"no_route\"} 1\n",
        );
        let since = now.since(&before);
        assert_eq!(since.responses, Counts::from([("2xx".to_owned(), 2)]));
        assert_eq!(since.refusals, Counts::from([("no_route".to_owned(), 1)]));
    }
}
