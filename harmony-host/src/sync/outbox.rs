//! The outbox: delivers verdicts to the providers.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use provider_api::{ChangeStatus, DisplayDuration, ErrorKind, Provider, Result};
use tokio::sync::Notify;

use crate::journal::{Delivery, Entry, Journal};
use crate::providers::isolate::{error_chain, isolated};
use crate::status::StatusBoard;
use crate::storage::failpoints::kill;
use crate::sync::backoff::Backoff;
use crate::sync::lazy_journal::note;
use crate::sync::summary;

/// The failed deliveries of a verdict after which it no longer blocks later ones.
const PATIENCE: u32 = 5;

/// Delivers the verdicts to the providers, in order, with retries. It runs in a task of its own, so that a provider
/// that does not answer delays no change.
#[derive(Debug)]
pub(super) struct Outbox {
    work: Notify,
    answers: Notify,
    /// The providers that verdicts may be for, also one that was primary before: the change that switches a
    /// provider off is reported to it.
    providers: Mutex<BTreeMap<String, Arc<dyn Provider>>>,
}

impl Outbox {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { work: Notify::new(), answers: Notify::new(), providers: Mutex::default() })
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
    pub(super) fn add_provider(&self, provider: &Arc<dyn Provider>) {
        let mut providers = self.providers.lock().unwrap_or_else(PoisonError::into_inner);
        providers.insert(provider.name().to_string(), Arc::clone(provider));
    }

    fn provider(&self, name: &str) -> Option<Arc<dyn Provider>> {
        self.providers.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
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

    /// Delivers what is due. A verdict that fails blocks the later ones of its provider, to keep their order; after
    /// [`PATIENCE`] failures it no longer does.
    async fn deliver(
        &self,
        journal: &Arc<Journal>,
        status: &StatusBoard,
        backoff: &mut Backoff,
        failures: &mut HashMap<u64, u32>,
    ) -> Result<()> {
        let (mut silent, mut failure) = (HashSet::new(), None);
        for sequence in journal.undelivered().iter().map(|entry| entry.sequence).collect::<Vec<_>>() {
            // Reads the entry again: a newer verdict may have been recorded while the earlier ones were reported.
            let Some(entry) = journal.get(sequence).filter(|entry| entry.is_undelivered()) else { continue };
            let provider = self.provider(&entry.provider).filter(|_| !silent.contains(&entry.provider));
            let Some(provider) = provider else { continue };
            match report_verdict(&*provider, journal, &entry).await {
                Ok(None) => {}
                Ok(Some(delivery)) => {
                    let told = entry.settlement.clone();
                    note(journal, move |journal| journal.delivered(sequence, told.as_ref(), delivery))
                        .await?;
                    kill("delivered");
                    failures.remove(&sequence);
                    backoff.succeeded();
                    summary::update(journal, &provider, status);
                }
                Err(error) => {
                    let times = failures.entry(sequence).or_insert(0);
                    *times = times.saturating_add(1);
                    if *times < PATIENCE {
                        silent.insert(entry.provider.clone());
                    }
                    failure.get_or_insert(error);
                }
            }
        }
        failure.map_or(Ok(()), Err)
    }
}

/// Reports a verdict. Returns `None` when the provider takes no reports or the entry has no verdict.
async fn report_verdict(
    provider: &dyn Provider,
    journal: &Arc<Journal>,
    entry: &Entry,
) -> Result<Option<Delivery>> {
    let (Some(source), Some(id), Some(status)) = (provider.source(), entry.change_id(), entry.status())
    else {
        return Ok(None);
    };
    if !entry.acknowledged {
        match isolated(source.report(&id, &ChangeStatus::Received)).await {
            Err(error) if error.kind() == ErrorKind::Unavailable => return Err(error),
            // The provider may have recorded an earlier acknowledgement whose response was lost. The report of the
            // verdict below shows whether it knows the change.
            _ => {
                let sequence = entry.sequence;
                note(journal, move |journal| journal.acknowledged(sequence)).await?;
            }
        }
    }
    let told = isolated(source.report(&id, &status)).await;
    kill("reported");
    match told {
        Ok(()) => Ok(Some(Delivery::Reported)),
        Err(error) if error.kind() == ErrorKind::Unavailable => Err(error),
        Err(error) => {
            tracing::error!(change = %id, error = error_chain(&error), "the provider refused the verdict");
            Ok(Some(Delivery::Refused(error_chain(&error))))
        }
    }
}
