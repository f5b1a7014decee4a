//! Requests that the gateway answers itself: each is counted by its reason, and logged at most once a second for each reason.

use crate::metrics::{Reason, Record, Traffic};

/// A request that the gateway answers itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Refused<'a> {
    pub(crate) reason: Reason,
    pub(crate) network: &'a str,
    /// The path, without the query, which may hold a secret.
    pub(crate) path: &'a str,
}

impl Refused<'_> {
    /// Counts and logs the refusal.
    pub(crate) fn note(self, pipeline: Option<&str>, traffic: &Traffic, record: &mut Record) {
        record.refuse(self.reason);
        let Some(unlogged) = traffic.refuse(self.reason) else { return };
        tracing::info!(
            reason = self.reason.as_str(),
            network = self.network,
            pipeline,
            path = self.path,
            request_id = record.identity().request_id(),
            unlogged,
            "a request was refused"
        );
    }
}
