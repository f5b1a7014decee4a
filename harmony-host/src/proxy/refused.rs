//! Requests that the gateway answers itself: each is counted by its reason, and logged at most once a second for each reason.

use crate::metrics::{PipelineTraffic, Reason, Record, Traffic, TroubleKind};

/// A request that the gateway answers itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Refused<'a> {
    pub(crate) reason: Reason,
    pub(crate) network: &'a str,
    /// The path, without the query, which may hold a secret.
    pub(crate) path: &'a str,
    /// The cause in words, where the reason alone does not say it.
    pub(crate) cause: Option<&'a str>,
}

impl Refused<'_> {
    /// Counts and logs the refusal. One that an operator can end is a warning, and a recent trouble of its pipeline.
    pub(crate) fn note(self, pipeline: Option<&PipelineTraffic>, traffic: &Traffic, record: &mut Record) {
        record.refuse(self.reason);
        let remedy = self.reason.remedy();
        if let (Some(remedy), Some(pipeline)) = (remedy, pipeline) {
            let cause = self.cause.unwrap_or(self.reason.meaning());
            pipeline.troubles.note(TroubleKind::Refusal(self.reason), cause, remedy);
        }
        let Some(unlogged) = traffic.refuse(self.reason) else { return };
        let (reason, network, path, cause) = (self.reason.as_str(), self.network, self.path, self.cause);
        let pipeline = pipeline.map(|pipeline| &*pipeline.name);
        let request_id = record.identity().request_id();
        const MESSAGE: &str = "a request was refused";
        match remedy.filter(|_| cause.is_some()) {
            Some(remedy) => {
                tracing::warn!(
                    reason,
                    cause,
                    remedy,
                    network,
                    pipeline,
                    path,
                    request_id,
                    unlogged,
                    "{MESSAGE}"
                );
            }
            None => tracing::info!(reason, network, pipeline, path, request_id, unlogged, "{MESSAGE}"),
        }
    }
}
