//! The traffic of a gateway: what belongs to no pipeline.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::access_log::AccessLog;
use crate::diagnostics::throttle::Throttle;
use crate::metrics::counter::{Counter, Sharded};
use crate::metrics::listener::ListenerTraffic;
use crate::metrics::reason::Reason;
use crate::otlp::Exporter;

/// The traffic of a gateway.
#[derive(Debug)]
pub(crate) struct Traffic {
    refusals: Sharded<Refusals>,
    /// The throttles of the log lines about refusals, by reason.
    lines: [Throttle; Reason::ALL.len()],
    listeners: Mutex<BTreeMap<SocketAddr, Arc<ListenerTraffic>>>,
    /// False for a comparison in the benchmark: requests are not counted then.
    is_counted: bool,
    access_log: Option<Arc<AccessLog>>,
    exporter: Option<Arc<Exporter>>,
}

#[derive(Debug)]
struct Refusals([Counter; Reason::ALL.len()]);

impl Default for Refusals {
    fn default() -> Self {
        Self(std::array::from_fn(|_| Counter::default()))
    }
}

impl Traffic {
    /// Creates the traffic of a gateway that has served nothing.
    pub(crate) fn new(is_counted: bool, access_log: Option<Arc<AccessLog>>) -> Self {
        Self {
            refusals: Sharded::new(),
            lines: std::array::from_fn(|_| Throttle::default()),
            listeners: Mutex::default(),
            is_counted,
            access_log,
            exporter: None,
        }
    }

    /// Has the spans of its requests exported.
    #[cfg(feature = "otlp")]
    pub(crate) fn exporting(self, exporter: Option<Arc<Exporter>>) -> Self {
        Self { exporter, ..self }
    }

    /// Returns whether requests are counted.
    pub(crate) fn is_counted(&self) -> bool {
        self.is_counted
    }

    /// Returns the access log, if there is one.
    pub(crate) fn access_log(&self) -> Option<&Arc<AccessLog>> {
        self.access_log.as_ref()
    }

    /// Returns the exporter of spans, if there is one.
    pub(crate) fn exporter(&self) -> Option<&Arc<Exporter>> {
        self.exporter.as_ref()
    }

    /// Counts a refused request. Returns the number of those that were not logged since the last line, if a line is due: one a
    /// second for each reason.
    pub(crate) fn refuse(&self, reason: Reason) -> Option<u64> {
        self.refusals.get().0.get(reason as usize)?.inc();
        self.lines.get(reason as usize)?.is_due()
    }

    /// Returns the refused requests by reason.
    pub(crate) fn refusals(&self) -> impl Iterator<Item = (Reason, u64)> + '_ {
        let count = |reason: Reason| self.refusals.sum(|refusals| &refusals.0[reason as usize]);
        Reason::ALL.into_iter().map(move |reason| (reason, count(reason)))
    }

    /// Returns the traffic of a listener. One that is opened again goes on with the same.
    pub(crate) fn listener(&self, address: SocketAddr) -> Arc<ListenerTraffic> {
        Arc::clone(self.listeners().entry(address).or_default())
    }

    /// Forgets the traffic of all listeners but some.
    pub(crate) fn keep_listeners(&self, is_kept: impl Fn(&SocketAddr) -> bool) {
        self.listeners().retain(|address, _| is_kept(address));
    }

    fn listeners(&self) -> MutexGuard<'_, BTreeMap<SocketAddr, Arc<ListenerTraffic>>> {
        self.listeners.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
