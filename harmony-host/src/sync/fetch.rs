//! Fetching bodies: side by side, with a record of all that have arrived in one durable write.

use std::sync::Arc;

use provider_api::{Error, ErrorKind, RejectionClass, RejectionReport, Result};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::task::JoinSet;

use crate::journal::{Entry, Journal, TRIES, Verdict};
use crate::providers::PrimaryProvider;
use crate::providers::isolate::error_chain;
use crate::storage::failpoints::kill;
use crate::sync::call::replaced;
use crate::sync::caller::Caller;
use crate::sync::lazy_journal::note;
use crate::sync::steps::{CHUNK, FetchAttempt, Fetched, Fresh, MISSES, Outcome, SyncPass};

/// The maximum number of fetches of one change, also over restarts: at once, then 1 minute, 10 minutes and 1 hour after
/// the previous failure. Then the change is rejected.
const FETCHES: u32 = TRIES;

impl SyncPass {
    /// Fetches bodies side by side, in the order of the list. After [`MISSES`] failures in a row no more are begun.
    pub(super) async fn fetch_all(
        &self,
        caller: &Caller,
        primary: &PrimaryProvider,
        journal: &Arc<Journal>,
        attempts: Vec<FetchAttempt>,
        fetched: UnboundedSender<Fetched>,
    ) -> Result<()> {
        let (mut attempts, mut calls, mut misses) = (attempts.into_iter(), JoinSet::new(), 0);
        loop {
            while calls.len() < caller.width() && misses < MISSES && !self.pause.is_set() {
                let Some(attempt) = attempts.next() else { break };
                let (caller, id) = (caller.clone(), attempt.entry.change_id());
                calls.spawn(async move {
                    let change = match id {
                        Some(id) => caller.fetch(&id).await,
                        None => Err(Error::invalid("the change has no usable id")),
                    };
                    (attempt, change)
                });
            }
            let ended = tokio::select! {
                biased;
                () = replaced(self.primary.clone(), primary) => return Ok(()),
                ended = calls.join_next() => ended,
            };
            let Some(ended) = ended else { break };
            // Only a stop of the runtime ends a call otherwise.
            let Ok((attempt, change)) = ended else { break };
            let missed = matches!(&change, Err(error) if error.kind() == ErrorKind::Unavailable);
            misses = if missed { misses + 1 } else { 0 };
            let _ = fetched.send((attempt, change));
        }
        let left: Vec<u64> =
            attempts.filter(|attempt| attempt.counts).map(|attempt| attempt.entry.sequence).collect();
        match left.is_empty() {
            true => Ok(()),
            false => note(journal, move |journal| journal.not_fetched(&left)).await,
        }
    }

    /// Records what was fetched, and passes it on. Rejects the changes whose bodies no retry can fetch.
    pub(super) async fn record_fetched(
        &self,
        primary: &PrimaryProvider,
        journal: &Arc<Journal>,
        mut fetched: UnboundedReceiver<Fetched>,
        fresh: UnboundedSender<Fresh>,
        outcome: &Outcome,
    ) -> Result<()> {
        let mut arrived = Vec::new();
        while fetched.recv_many(&mut arrived, CHUNK).await > 0 {
            if !self.is_primary(primary) {
                return Ok(());
            }
            let (mut bodies, mut failed, mut rejected) = (Vec::new(), Vec::new(), Vec::new());
            for (FetchAttempt { entry, counts }, change) in arrived.drain(..) {
                let last = counts && entry.fetches >= FETCHES;
                match change {
                    Ok(change) if change.id.as_str() == entry.id => bodies.push((entry.sequence, change)),
                    Ok(_) => {
                        let error = Error::invalid("the provider sent another change than the requested one");
                        rejected.push((entry, error));
                    }
                    Err(error) if error.kind() == ErrorKind::Unavailable && !last => {
                        let why = error_chain(&error);
                        tracing::warn!(change = entry.id, error = why, "the change cannot be fetched now");
                        if counts {
                            failed.push((entry.sequence, why));
                        }
                        outcome.fail(error);
                    }
                    Err(error) => rejected.push((entry, error)),
                }
            }
            if !failed.is_empty() {
                let now = self.clock.unix_now();
                note(journal, move |journal| journal.fetch_failed(&failed, now)).await?;
            }
            if !bodies.is_empty() {
                let entries = note(journal, move |journal| journal.fetched(&bodies)).await?;
                kill("fetched");
                for entry in entries {
                    let _ = fresh.send(Fresh { entry, announced_before: false });
                }
            }
            self.settle(
                journal,
                rejected.into_iter().map(|(entry, error)| unfetched(&entry, &error)).collect(),
                outcome,
            )
            .await?;
        }
        Ok(())
    }
}

/// Returns the rejection of a change whose body cannot be fetched by a retry.
fn unfetched(entry: &Entry, error: &Error) -> Verdict {
    let summary = format!("the change could not be fetched: {}", error_chain(error));
    let rejection = RejectionReport { class: RejectionClass::Fetch, summary, problems: Vec::new() };
    Verdict { sequence: entry.sequence, settlement: rejection.into(), quarantine: None }
}
