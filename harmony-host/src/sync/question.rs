//! A question for the list of pending changes, which a source may answer at once or after minutes.

use std::collections::HashSet;
use std::time::Duration;

use provider_api::{Cadence, Error, Pending, Result};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::providers::PrimaryProvider;
use crate::sync::call::{CALL_LIMIT, WAIT_LIMIT, bounded};

/// The least time between two questions of a source that waits for changes.
pub(super) const PACE: Duration = Duration::from_secs(1);

/// A call of [`pending`](provider_api::ConfigSource::pending) that is under way, in a task of its own: a source that blocks
/// its thread must not keep the sync loop waiting. Dropping it ends the call.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) since: Instant,
    /// The changes whose verdict the provider had when it was asked.
    pub(super) settled: HashSet<String>,
    call: JoinHandle<Result<Pending>>,
}

impl Question {
    /// Asks `provider`.
    pub(super) fn ask(
        provider: &PrimaryProvider,
        cadence: Option<Cadence>,
        settled: HashSet<String>,
    ) -> Self {
        let limit = if cadence == Some(Cadence::Waits) { WAIT_LIMIT } else { CALL_LIMIT };
        let provider = provider.provider.clone();
        let call = tokio::spawn(async move {
            let source = provider.source();
            let source = source.ok_or_else(|| Error::invalid("the provider has no source of changes"))?;
            bounded(limit, source.pending()).await
        });
        Self { since: Instant::now(), settled, call }
    }

    /// Waits for the answer. Cancel safe: the call goes on.
    pub(super) async fn answer(&mut self) -> Result<Pending> {
        let ended = (&mut self.call).await;
        ended.unwrap_or_else(|_| Err(Error::unavailable("the question of the provider was given up")))
    }
}

impl Drop for Question {
    fn drop(&mut self) {
        self.call.abort();
    }
}

/// Waits for the answer to the question that is under way; forever without one.
pub(super) async fn answer(question: &mut Option<Question>) -> Result<Pending> {
    match question {
        Some(question) => question.answer().await,
        None => std::future::pending().await,
    }
}

/// The answers in a row that a source gave at once, although it waits for changes and had none.
#[derive(Debug, Default)]
pub(super) struct Haste(u32);

/// The number of such answers from which a source is named.
const NAMED: u32 = 5;

impl Haste {
    /// Counts an answer. Returns why the source is slowed, if it is.
    pub(super) fn count(&mut self, provider: &str, took: Duration, is_news: bool) -> Option<String> {
        if is_news || took >= PACE {
            self.0 = 0;
            return None;
        }
        self.0 = self.0.saturating_add(1);
        if self.0 < NAMED {
            return None;
        }
        let reason = format!(
            "the source of `{provider}` should wait for a change, and answers at once without a new one; it is asked \
             once a second"
        );
        if self.0 == NAMED {
            tracing::warn!(provider, "{reason}");
        }
        Some(reason)
    }
}
