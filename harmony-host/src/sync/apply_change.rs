//! The part of a sync pass after the fetch: a change is acknowledged, applied and settled.

use std::sync::Arc;

use provider_api::{Change, ChangeStatus, ConfigSource, Error, ErrorKind, Provider, Result};
use tokio::sync::oneshot;

use crate::apply::{ChangeVerdict, Command, JournaledChange};
use crate::journal::{Entry, Journal, Quarantine, Settlement};
use crate::providers::isolate::{error_chain, isolated};
use crate::status::ChangeOutcome;
use crate::storage::failpoints::kill;
use crate::sync::lazy_journal::note;
use crate::sync::pass::SyncPass;
use crate::sync::rejection::{change_report, rejection_report};
use crate::sync::report::SyncReport;

impl SyncPass {
    /// Acknowledges a fetched change, and applies it.
    pub(super) async fn process(
        &mut self,
        source: &dyn ConfigSource,
        journal: &Arc<Journal>,
        entry: &Entry,
        report: &mut SyncReport,
    ) -> Result<()> {
        let sequence = entry.sequence;
        let Some(change) = entry.change() else { return Ok(()) };
        if !entry.acknowledged {
            // An earlier report may have arrived although its response was lost, or the process ended before the response.
            let reported_before = entry.announced;
            if !reported_before {
                note(journal, move |journal| journal.announcing(sequence)).await?;
            }
            let acknowledged = isolated(source.report(&change.id, &ChangeStatus::Received)).await;
            match acknowledged {
                Ok(()) => self.listing.acknowledged(entry, None),
                Err(error) if error.kind() == ErrorKind::Unavailable => return Err(error),
                Err(_) if reported_before => {}
                // The provider withdrew the change, or does not let this gateway have it: the next list shows which.
                Err(error) => {
                    let error = error_chain(&error);
                    tracing::warn!(change = %change.id, error, "the provider refused the acknowledgement of the change; it is not applied");
                    self.listing.acknowledged(entry, Some(&error));
                    return note(journal, move |journal| journal.forget(sequence)).await;
                }
            }
            kill("announced");
            note(journal, move |journal| journal.acknowledged(sequence)).await?;
            kill("acknowledged");
        }
        self.apply_change(journal, entry, change, report).await
    }

    /// Applies a fetched change, and records the verdict.
    async fn apply_change(
        &self,
        journal: &Arc<Journal>,
        entry: &Entry,
        change: Change,
        report: &mut SyncReport,
    ) -> Result<()> {
        let before = entry.quarantine.as_ref();
        let now = self.clock.unix_now();
        let (settlement, quarantine) = match self.send_to_apply(journal, entry, change).await? {
            ChangeVerdict::Applied => (Settlement::Applied, None),
            ChangeVerdict::Rejected(rejection, attempt) => {
                let retry = attempt.and_then(|attempt| Quarantine::after(before, attempt, now));
                (rejection_report(&rejection).into(), retry)
            }
            ChangeVerdict::Superseded => {
                let sequence = entry.sequence;
                return note(journal, move |journal| journal.release(sequence)).await;
            }
            ChangeVerdict::Deferred(reason) => {
                let deferred = change_report(
                    &entry.id,
                    &entry.kind,
                    ChangeOutcome::Held,
                    None,
                    Some(reason.clone()),
                    Vec::new(),
                );
                tracing::warn!(change = entry.id, reason, "the change waits");
                self.status.record_change(&deferred);
                report.held.push(deferred);
                return Ok(());
            }
        };
        self.settle(journal, entry, settlement, quarantine, report).await
    }

    /// Retries rejected changes whose retry is due.
    pub(super) async fn retry_quarantined(
        &self,
        provider: &Arc<dyn Provider>,
        journal: &Arc<Journal>,
        report: &mut SyncReport,
    ) -> Result<()> {
        for entry in journal.quarantined() {
            let digest = self.status.read().effective.as_ref().map(|served| served.digest.clone());
            let due = entry
                .quarantine
                .as_ref()
                .zip(digest)
                .is_some_and(|(quarantine, digest)| quarantine.is_due(self.clock.unix_now(), &digest));
            let ours = entry.provider == provider.name().as_str() && self.is_primary(provider);
            if let Some(change) = entry.change().filter(|_| due && ours) {
                tracing::info!(change = entry.id, "retrying a rejected change");
                self.apply_change(journal, &entry, change, report).await?;
            }
        }
        Ok(())
    }

    /// Records the verdict of a change, and shows it in the status and in the report.
    pub(super) async fn settle(
        &self,
        journal: &Arc<Journal>,
        entry: &Entry,
        settlement: Settlement,
        quarantine: Option<Quarantine>,
        report: &mut SyncReport,
    ) -> Result<()> {
        let (sequence, id, kind) = (entry.sequence, entry.id.as_str(), entry.kind.as_str());
        let ended = match &settlement {
            Settlement::Applied => change_report(id, kind, ChangeOutcome::Applied, None, None, Vec::new()),
            Settlement::Rejected { class, summary, problems } => {
                tracing::error!(
                    change = id,
                    class,
                    summary,
                    "the change was rejected; the active configuration stays"
                );
                change_report(
                    id,
                    kind,
                    ChangeOutcome::Rejected,
                    Some(class.clone()),
                    Some(summary.clone()),
                    problems.clone(),
                )
            }
        };
        note(journal, move |journal| journal.settle(sequence, settlement, quarantine)).await?;
        kill("settled");
        self.status.record_change(&ended);
        let list =
            if ended.verdict == ChangeOutcome::Applied { &mut report.applied } else { &mut report.rejected };
        list.push(ended);
        self.outbox.wake();
        Ok(())
    }

    /// Hands a change to the task that applies changes, and waits for the verdict.
    async fn send_to_apply(
        &self,
        journal: &Arc<Journal>,
        entry: &Entry,
        change: Change,
    ) -> Result<ChangeVerdict> {
        let stopping = || Error::unavailable("the gateway is stopping");
        let (reply, verdict) = oneshot::channel();
        let journaled = JournaledChange {
            sequence: entry.sequence,
            change: Arc::new(change),
            journal: Arc::clone(journal),
            targets: entry
                .quarantine
                .as_ref()
                .map(|quarantine| quarantine.targets().to_vec())
                .unwrap_or_default(),
            before: entry.phase.before().unwrap_or_default().to_vec(),
        };
        self.apply.send(Command::Change(journaled, reply)).await.map_err(|_| stopping())?;
        verdict.await.map_err(|_| stopping())
    }
}
