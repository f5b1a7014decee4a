//! Failures of backends: each is counted, and logged at most once a second for each pipeline.

use crate::metrics::{Fault, Record, TroubleKind};
use crate::plan::{BaseUrl, HttpUpstream};
use crate::proxy::error::ProxyError;
use crate::proxy::exchange::Exchange;
use crate::proxy::pool::Failure;

/// A request to a backend, for the log.
pub(super) struct Asked<'a> {
    pub(super) exchange: &'a Exchange<'a>,
    pub(super) upstream: &'a HttpUpstream,
    /// The URL of the last attempt.
    pub(super) base: &'a BaseUrl,
    pub(super) record: &'a mut Record,
}

impl Asked<'_> {
    /// Logs a request that has no response, and returns the error for the client. Only the log has the cause: it may name
    /// internal addresses.
    pub(super) fn failed(&self, failure: &Failure) -> ProxyError {
        let cause = failure.root();
        self.note(failure.fault(), &cause, failure.remedy());
        self.log(&format!("the backend failed: {failure}"), &cause);
        ProxyError::BadGateway(failure.fault(), self.says(failure.describe()))
    }

    /// Counts and logs an answer that is not passed on, and returns the error for the client.
    pub(super) fn invalid(&mut self, reason: &str) -> ProxyError {
        self.record.failed(Fault::Invalid);
        self.note(Fault::Invalid, reason, Fault::Invalid.remedy());
        self.log("the answer of the backend was not passed on", reason);
        ProxyError::BadGateway(Fault::Invalid, self.says(reason))
    }

    /// Counts and logs a backend that is silent, and returns the error for the client.
    pub(super) fn silent(&mut self) -> ProxyError {
        let reason = format!("sent nothing for {} s", self.upstream.timeout.as_secs());
        self.record.failed(Fault::Timeout);
        self.note(Fault::Timeout, &reason, Fault::Timeout.remedy());
        self.log("the backend is silent", &reason);
        ProxyError::GatewayTimeout(self.says(&reason))
    }

    /// Notes the failure in the recent troubles of the pipeline.
    fn note(&self, fault: Fault, cause: &str, remedy: &'static str) {
        let kind = TroubleKind::Backend { origin: Some(self.base.origin()), fault };
        self.exchange.admitted.route.pipeline.traffic.troubles.note(kind, cause, remedy);
    }

    fn says(&self, what: &str) -> String {
        format!("backend `{}` {what}", self.upstream.backend)
    }

    fn log(&self, message: &str, cause: &str) {
        let plan = &self.exchange.admitted.route.pipeline;
        let Some(unlogged) = plan.traffic.failures.is_due() else { return };
        let identity = self.record.identity();
        tracing::warn!(
            pipeline = &*plan.name,
            backend = &*self.upstream.backend,
            path = self.exchange.admitted.path(),
            request_id = identity.request_id(),
            cause,
            unlogged,
            "{message}"
        );
    }
}
