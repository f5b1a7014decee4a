//! The outbox: delivers verdicts to the providers.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use provider_api::{ChangeStatus, DisplayDuration, ErrorKind, Result};
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::journal::{Delivered, Delivery, Entry, Journal};
use crate::providers::isolate::error_chain;
use crate::providers::{PrimaryProvider, SourceId};
use crate::status::StatusBoard;
use crate::storage::failpoints::kill;
use crate::sync::backoff::Backoff;
use crate::sync::caller::Caller;
use crate::sync::lazy_journal::note;
use crate::sync::summary;

/// The failed deliveries of a verdict after which it no longer blocks later ones.
const PATIENCE: u32 = 5;

/// Delivers the verdicts to the providers, oldest first, with retries. It runs in a task of its own, so that a provider
/// that does not answer delays no change.
///
/// The first report goes alone. With each answer twice as many go side by side, up to the limit of the provider; after a
/// failure one goes alone again.
#[derive(Debug)]
pub(super) struct Outbox {
    work: Notify,
    answers: Notify,
    /// The providers that verdicts may be for, also one that was primary before: the change that switches a
    /// provider off is reported to it.
    callers: Mutex<HashMap<SourceId, Caller>>,
}

impl Outbox {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { work: Notify::new(), answers: Notify::new(), callers: Mutex::default() })
    }

    /// Wakes the delivery: there is a new verdict or a new provider.
    pub(super) fn wake(&self) {
        self.work.notify_one();
    }

    /// Ends the backoff: the provider answers again.
    pub(super) fn answered(&self) {
        self.answers.notify_one();
        self.wake();
    }

    /// Adds a provider, or replaces it after a change of its configuration.
    pub(super) fn add_provider(&self, primary: &PrimaryProvider) {
        let mut callers = self.callers.lock().unwrap_or_else(PoisonError::into_inner);
        let known = callers.get(&primary.source);
        let caller = known.map_or_else(|| Caller::new(primary), |known| known.renewed(primary));
        callers.insert(primary.source.clone(), caller);
    }

    /// Returns the caller of the provider of a source.
    pub(super) fn caller(&self, source: &SourceId) -> Option<Caller> {
        self.callers.lock().unwrap_or_else(PoisonError::into_inner).get(source).cloned()
    }

    fn callers(&self) -> Vec<(SourceId, Caller)> {
        let callers = self.callers.lock().unwrap_or_else(PoisonError::into_inner);
        callers.iter().map(|(source, caller)| (source.clone(), caller.clone())).collect()
    }

    pub(super) async fn run(&self, journal: Arc<Journal>, status: Arc<StatusBoard>) {
        let (mut backoff, mut failures) = (Backoff::new(fastrand::Rng::new()), HashMap::new());
        loop {
            let failure = self.deliver(&journal, &status, &mut backoff, &mut failures).await.err();
            match failure {
                None => {
                    backoff.succeeded();
                    self.work.notified().await;
                }
                Some(error) => {
                    let wait = backoff.failed(error.retry_after());
                    let unless =
                        if error.retry_after().is_none() { ", or when the provider answers" } else { "" };
                    tracing::warn!(
                        error = error_chain(&error),
                        "a verdict could not be reported; it is retried in {}{unless}",
                        DisplayDuration(wait)
                    );
                    // A successful sync ends the wait early, unless the provider sent a Retry-After for the report.
                    let answers = async {
                        match error.retry_after() {
                            Some(_) => std::future::pending().await,
                            None => self.answers.notified().await,
                        }
                    };
                    tokio::select! {
                        () = tokio::time::sleep(wait) => {}
                        () = answers => {}
                    }
                }
            }
        }
    }

    /// Delivers what is due, to each provider until a report fails. A verdict that fails keeps its place before the later ones
    /// of its provider; after [`PATIENCE`] failures it no longer does.
    async fn deliver(
        &self,
        journal: &Arc<Journal>,
        status: &StatusBoard,
        backoff: &mut Backoff,
        failures: &mut HashMap<u64, u32>,
    ) -> Result<()> {
        let mut failure = None;
        for (source, caller) in self.callers() {
            if let Err(error) = deliver_to(&source, &caller, journal, status, backoff, failures).await {
                failure.get_or_insert(error);
            }
        }
        failure.map_or(Ok(()), Err)
    }
}

async fn deliver_to(
    source: &SourceId,
    caller: &Caller,
    journal: &Arc<Journal>,
    status: &StatusBoard,
    backoff: &mut Backoff,
    failures: &mut HashMap<u64, u32>,
) -> Result<()> {
    let (mut side_by_side, mut failure, mut passed) = (1, None, HashSet::new());
    loop {
        let due = journal.undelivered().into_iter().filter(|entry| entry.is_from(source));
        let due: Vec<Arc<Entry>> =
            due.filter(|entry| !passed.contains(&entry.sequence)).take(side_by_side).collect();
        if due.is_empty() {
            return failure.map_or(Ok(()), Err);
        }
        let mut reports = JoinSet::new();
        for entry in due {
            let caller = caller.clone();
            reports.spawn(async move {
                let told = report_verdict(&caller, &entry).await;
                (entry, told)
            });
        }
        let (mut delivered, mut acknowledged, mut blocked) = (Vec::new(), Vec::new(), false);
        while let Some(Ok((entry, told))) = reports.join_next().await {
            match told {
                Ok(delivery) => {
                    acknowledged.extend((!entry.acknowledged).then_some(entry.sequence));
                    failures.remove(&entry.sequence);
                    let reported = entry.settlement.clone();
                    delivered.push(Delivered { sequence: entry.sequence, reported, delivery });
                }
                Err(error) => {
                    let times = failures.entry(entry.sequence).or_insert(0);
                    *times = times.saturating_add(1);
                    blocked |= *times < PATIENCE;
                    passed.insert(entry.sequence);
                    failure.get_or_insert(error);
                }
            }
        }
        let any = !delivered.is_empty();
        if !acknowledged.is_empty() {
            note(journal, move |journal| journal.acknowledged(&acknowledged)).await?;
        }
        if any {
            note(journal, move |journal| journal.delivered(delivered)).await?;
            kill("delivered");
            backoff.succeeded();
            summary::update(journal, source, status);
        }
        if blocked {
            return failure.map_or(Ok(()), Err);
        }
        side_by_side = if any { (side_by_side * 2).min(caller.width()) } else { 1 };
    }
}

/// Reports a verdict; before it, again, that the change was received, if the provider has lost the verdict.
async fn report_verdict(caller: &Caller, entry: &Entry) -> Result<Delivery> {
    let (Some(id), Some(status)) = (entry.change_id(), entry.status()) else {
        return Ok(Delivery::Refused("there is no verdict to report".to_owned()));
    };
    if !entry.acknowledged {
        match caller.report(&id, &ChangeStatus::Received).await {
            Err(error) if error.kind() == ErrorKind::Unavailable => return Err(error),
            // The provider may have recorded an earlier acknowledgement whose response was lost. The report of the
            // verdict shows whether it knows the change.
            _ => {}
        }
    }
    let told = caller.report(&id, &status).await;
    kill("reported");
    match told {
        Ok(()) => Ok(Delivery::Reported),
        Err(error) if error.kind() == ErrorKind::Unavailable => Err(error),
        Err(error) => {
            tracing::error!(change = %id, error = error_chain(&error), "the provider refused the verdict");
            Ok(Delivery::Refused(error_chain(&error)))
        }
    }
}
