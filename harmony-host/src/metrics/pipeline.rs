//! The traffic of pipelines and of their routes.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use provider_api::{PerThread, Shared};

use crate::diagnostics::throttle::Throttle;
use crate::metrics::counter::{Counter, Sharded};
use crate::metrics::fault::Fault;
use crate::metrics::histogram::{Histogram, Totals};
use crate::metrics::troubles::Troubles;

/// The class of the response to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// There was no response: the client left before it.
    None,
    Informational,
    Success,
    Redirection,
    ClientError,
    ServerError,
}

impl Class {
    /// All classes, in the order of their numbers.
    pub(crate) const ALL: [Self; 6] = [
        Self::None,
        Self::Informational,
        Self::Success,
        Self::Redirection,
        Self::ClientError,
        Self::ServerError,
    ];

    /// Returns the class of a status; 0 if there was no response.
    pub(crate) const fn of(status: u16) -> Self {
        match status / 100 {
            0 => Self::None,
            1 => Self::Informational,
            2 => Self::Success,
            3 => Self::Redirection,
            4 => Self::ClientError,
            _ => Self::ServerError,
        }
    }

    /// Returns the value of the label.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Informational => "1xx",
            Self::Success => "2xx",
            Self::Redirection => "3xx",
            Self::ClientError => "4xx",
            Self::ServerError => "5xx",
        }
    }
}

/// Requests by the class of their response.
#[derive(Debug, Default)]
pub(crate) struct ClassCounts([Counter; Class::ALL.len()]);

impl ClassCounts {
    /// Counts a request.
    pub(crate) fn count(&self, class: Class) {
        if let Some(counter) = self.0.get(class as usize) {
            counter.inc();
        }
    }
}

/// Returns the numbers of requests by class.
pub(super) fn classes<T: Default>(
    counts: &Sharded<T>,
    of: impl Fn(&T) -> &ClassCounts,
) -> [(Class, u64); Class::ALL.len()] {
    Class::ALL.map(|class| (class, counts.sum(|one| &of(one).0[class as usize])))
}

/// The traffic of one pipeline. The plans of later configurations take it over: a reload loses no count.
#[derive(Debug)]
pub(crate) struct PipelineTraffic {
    pub(crate) name: Arc<str>,
    /// Made by its first request: most pipelines of a large configuration are idle.
    counts: OnceLock<Sharded<PipelineCounts>>,
    /// The throttle of the log lines about its backend.
    pub(crate) failures: Throttle,
    /// The troubles of the last minutes.
    pub(crate) troubles: Troubles,
}

#[derive(Debug, Default)]
struct PipelineCounts {
    duration: Histogram,
    backend: Histogram,
    faults: [Counter; Fault::COUNT],
    retries: Counter,
}

/// Counters of the requests of a pipeline.
#[derive(Debug)]
pub(crate) struct Served {
    pub(crate) duration: Totals,
    pub(crate) backend: Totals,
    pub(crate) faults: [(Fault, u64); Fault::COUNT],
    pub(crate) retries: u64,
}

impl PipelineTraffic {
    /// Creates the traffic of a pipeline that has served nothing.
    pub(crate) fn new(name: &Arc<str>) -> Arc<Self> {
        Arc::new(Self {
            name: Arc::clone(name),
            counts: OnceLock::new(),
            failures: Throttle::default(),
            troubles: Troubles::default(),
        })
    }

    fn counts(&self) -> &PipelineCounts {
        self.counts.get_or_init(Sharded::new).get()
    }

    /// Counts the whole time of a request.
    pub(crate) fn took(&self, duration: Duration) {
        self.counts().duration.observe(duration);
    }

    /// Counts the time until the head of the response of a backend.
    pub(crate) fn backend_took(&self, duration: Duration) {
        self.counts().backend.observe(duration);
    }

    /// Counts an attempt that failed.
    pub(crate) fn failed(&self, fault: Fault) {
        if let Some(counter) = self.counts().faults.get(fault as usize) {
            counter.inc();
        }
    }

    /// Counts a further attempt of a request.
    pub(crate) fn retried(&self) {
        self.counts().retries.inc();
    }

    /// Returns what was served; `None` before the first request.
    pub(crate) fn served(&self) -> Option<Served> {
        let counts = self.counts.get()?;
        let mut served = Served {
            duration: Totals::default(),
            backend: Totals::default(),
            faults: Fault::ALL.map(|fault| (fault, counts.sum(|copy| &copy.faults[fault as usize]))),
            retries: counts.sum(|copy| &copy.retries),
        };
        for copy in counts.all() {
            copy.duration.add_to(&mut served.duration);
            copy.backend.add_to(&mut served.backend);
        }
        Some(served)
    }
}

/// The traffic of one route of a pipeline on one network.
#[derive(Debug)]
pub(crate) struct RouteTraffic {
    pub(crate) network: Arc<str>,
    /// The name of the ingress, or of the endpoint.
    pub(crate) route: Arc<str>,
    pipeline: Arc<PipelineTraffic>,
    /// Made by its first request. A reference count per thread: each request holds one until its end.
    live: OnceLock<PerThread<Shared<Live>>>,
}

/// The counters of a route that has served requests.
#[derive(Debug)]
pub(crate) struct Live {
    pub(crate) pipeline: Arc<PipelineTraffic>,
    pub(crate) counts: Sharded<ClassCounts>,
}

impl RouteTraffic {
    /// Creates the traffic of a route that has served nothing.
    pub(crate) fn new(pipeline: &Arc<PipelineTraffic>, network: &str, route: &str) -> Arc<Self> {
        let (network, route) = (Arc::from(network), Arc::from(route));
        Arc::new(Self { network, route, pipeline: Arc::clone(pipeline), live: OnceLock::new() })
    }

    /// Returns the counters for a request.
    pub(crate) fn live(&self) -> Shared<Live> {
        let live = self.live.get_or_init(|| {
            Shared::per_thread(Live { pipeline: Arc::clone(&self.pipeline), counts: Sharded::new() })
        });
        live.get().clone()
    }

    /// Returns the requests by class; `None` before the first one.
    pub(crate) fn served(&self) -> Option<[(Class, u64); Class::ALL.len()]> {
        self.live.get().map(|live| classes(&live.get().counts, |counts| counts))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_pipeline_has_no_counters() {
        let pipeline = PipelineTraffic::new(&Arc::from("p"));
        let route = RouteTraffic::new(&pipeline, "n", "r");
        assert!(pipeline.served().is_none() && route.served().is_none());
        let live = route.live();
        live.counts.get().count(Class::of(204));
        live.pipeline.took(Duration::from_millis(3));
        live.pipeline.failed(Fault::Timeout);
        let served = pipeline.served().unwrap();
        assert_eq!((served.duration.count(), served.backend.count(), served.faults[3].1), (1, 0, 1));
        assert_eq!(route.served().unwrap()[Class::Success as usize], (Class::Success, 1));
    }

    #[test]
    fn every_status_has_a_class() {
        for (status, name) in
            [(0, "none"), (101, "1xx"), (200, "2xx"), (308, "3xx"), (499, "4xx"), (999, "5xx")]
        {
            assert_eq!(Class::of(status).as_str(), name);
        }
    }
}
