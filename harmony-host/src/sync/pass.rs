use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use provider_api::{
    Change, ChangeHead, ChangeStatus, Clock, ConfigSource, Error, ErrorKind, Pending, Provider,
    RejectionClass, RejectionReport, Result,
};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

use crate::apply::Command;
use crate::apply::{ChangeVerdict, JournaledChange};
use crate::journal::{Delivery, Entry, Journal, Phase, Quarantine, Settlement, TRIES};
use crate::providers::isolate::{error_chain, isolated};
use crate::status::{ChangeOutcome, StatusBoard};
use crate::storage::failpoints::kill;
use crate::sync::journal_place::{JournalPlace, note};
use crate::sync::outbox::Outbox;
use crate::sync::rejection::{change_report, rejection_report};
use crate::sync::report::SyncReport;
use crate::sync::summary;

/// One walk through what a provider has for this gateway.
pub(super) struct SyncPass {
    pub(super) apply: mpsc::Sender<Command>,
    pub(super) primary: watch::Receiver<Option<Arc<dyn Provider>>>,
    pub(super) journal: JournalPlace,
    pub(super) outbox: Arc<Outbox>,
    pub(super) status: Arc<StatusBoard>,
    /// What the last list named: `Unchanged` means that it still stands.
    pub(super) listed: Vec<ChangeHead>,
    /// How often a verdict was repeated because the provider goes on listing the change, and when it may be again.
    pub(super) repeated: HashMap<u64, (u32, Instant)>,
    pub(super) clock: Arc<dyn Clock>,
}

/// How often the body of a change is asked for, over restarts too, before the change is rejected: at once, and a minute,
/// ten minutes and an hour after it could not be had.
const FETCHES: u32 = TRIES;

/// After this many bodies in a row that could not be had, the provider is taken to be away.
const MISSES: u32 = 3;

/// How long after a verdict was repeated it may be once more; doubled each time, up to the cap.
const REPEAT: Duration = Duration::from_secs(60);
const REPEAT_CAP: Duration = Duration::from_secs(6 * 3600);

impl SyncPass {
    /// Works off what is in the journal, then what the provider lists, oldest first. Somebody who asks does not want to
    /// wait for what could not be had before.
    pub(super) async fn run(
        &mut self,
        provider: &Arc<dyn Provider>,
        asked: bool,
    ) -> (SyncReport, Result<()>) {
        let mut report = SyncReport::default();
        let result = match provider.source() {
            Some(source) => self.walk(provider, source, asked, &mut report).await,
            None => Err(Error::invalid("the provider has no changes to ask for")),
        };
        report.error = result.as_ref().err().map(error_chain);
        (report, result)
    }

    /// Works off what is in the journal. Asks for nothing new.
    pub(super) async fn finish(&mut self, provider: &Arc<dyn Provider>) -> Result<()> {
        let Some(source) = provider.source() else { return Ok(()) };
        let mut report = SyncReport::default();
        let journal = self.journal.get().await?;
        let finished = self.work_off_all(provider, source, &journal, &mut report).await;
        summary::show(&journal, provider, &self.status);
        finished
    }

    async fn work_off_all(
        &mut self,
        provider: &Arc<dyn Provider>,
        source: &dyn ConfigSource,
        journal: &Arc<Journal>,
        report: &mut SyncReport,
    ) -> Result<()> {
        for entry in journal.unsettled() {
            if entry.provider == provider.name().as_str() && self.is_primary(provider) {
                self.work_off(source, journal, &entry, report).await?;
            }
        }
        Ok(())
    }

    async fn walk(
        &mut self,
        provider: &Arc<dyn Provider>,
        source: &dyn ConfigSource,
        asked: bool,
        report: &mut SyncReport,
    ) -> Result<()> {
        let journal = self.journal.get().await?;
        let walked = self.walk_through(provider, source, asked, &journal, report).await;
        summary::show(&journal, provider, &self.status);
        walked
    }

    async fn walk_through(
        &mut self,
        provider: &Arc<dyn Provider>,
        source: &dyn ConfigSource,
        asked: bool,
        journal: &Arc<Journal>,
        report: &mut SyncReport,
    ) -> Result<()> {
        self.work_off_all(provider, source, journal, report).await?;
        if !self.is_primary(provider) {
            return Ok(());
        }
        if let Pending::Changes(heads) = isolated(source.pending()).await? {
            self.listed = heads;
            self.forget_withdrawn(provider, journal).await?;
        }
        self.status.record_response();
        let mut failure = None;
        let mut misses = 0;
        for head in self.listed.clone() {
            if !self.is_primary(provider) {
                break;
            }
            let known = journal.find(provider.name(), &head.id);
            if let Some(entry) = known.as_ref().filter(|entry| entry.phase != Phase::Seen) {
                self.listed_again(journal, entry).await?;
                continue;
            }
            let early = known.filter(|entry| !entry.fetch_is_due(self.clock.unix_now()));
            // A person who asks ahead of time takes nothing from the times that are left.
            let counts = early.is_none();
            let seen = match early {
                Some(_) if !asked => continue,
                Some(entry) => entry,
                None => {
                    let (name, head) = (provider.name().clone(), head.clone());
                    note(journal, move |journal| journal.fetching(&name, &head)).await?
                }
            };
            kill("seen");
            let fetched = isolated(source.fetch(&head.id)).await;
            let sequence = seen.sequence;
            let entry = match fetched {
                Ok(change) if change.id == head.id => {
                    misses = 0;
                    note(journal, move |journal| journal.fetched(sequence, &change)).await?
                }
                Ok(_) => {
                    let error = Error::invalid("the provider sent another change than it was asked for");
                    self.refuse(journal, &seen, &error, report).await?;
                    continue;
                }
                Err(error)
                    if error.kind() == ErrorKind::Unavailable && !(counts && seen.fetches >= FETCHES) =>
                {
                    misses += 1;
                    if counts {
                        let now = self.clock.unix_now();
                        note(journal, move |journal| journal.fetch_failed(sequence, now)).await?;
                    }
                    tracing::warn!(change = %head.id, error = error_chain(&error), "the change cannot be fetched now");
                    failure.get_or_insert(error);
                    if misses >= MISSES {
                        break;
                    }
                    continue;
                }
                Err(error) => {
                    self.refuse(journal, &seen, &error, report).await?;
                    continue;
                }
            };
            kill("fetched");
            self.work_off(source, journal, &entry, report).await?;
        }
        let (listed, known) = (std::mem::take(&mut self.listed), journal);
        let to_come = |head: &ChangeHead| {
            known.find(provider.name(), &head.id).is_none_or(|entry| entry.phase == Phase::Seen)
        };
        self.listed = listed.into_iter().filter(to_come).collect();
        let noted: HashSet<u64> = journal.all().iter().map(|entry| entry.sequence).collect();
        self.repeated.retain(|sequence, _| noted.contains(sequence));
        self.try_again(provider, journal, report).await?;
        failure.map_or(Ok(()), Err)
    }

    /// Acknowledges a change that is here, and applies it.
    async fn work_off(
        &mut self,
        source: &dyn ConfigSource,
        journal: &Arc<Journal>,
        entry: &Entry,
        report: &mut SyncReport,
    ) -> Result<()> {
        let sequence = entry.sequence;
        let Some(change) = entry.change() else { return Ok(()) };
        if !entry.acknowledged {
            // Whether it may have been told before, and the answer was lost, or the process ended over it.
            let before = entry.announced;
            if !before {
                note(journal, move |journal| journal.announcing(sequence)).await?;
            }
            let told = isolated(source.report(&change.id, &ChangeStatus::Received)).await;
            match told {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::Unavailable => return Err(error),
                Err(_) if before => {}
                Err(error) => {
                    tracing::warn!(change = %change.id, error = error_chain(&error), "the provider took the change back");
                    return note(journal, move |journal| journal.forget(sequence)).await;
                }
            }
            kill("announced");
            note(journal, move |journal| journal.acknowledged(sequence)).await?;
            kill("acknowledged");
        }
        self.judge(journal, entry, change, report).await
    }

    /// Applies a change that is here, and notes the verdict.
    async fn judge(
        &self,
        journal: &Arc<Journal>,
        entry: &Entry,
        change: Change,
        report: &mut SyncReport,
    ) -> Result<()> {
        let before = entry.quarantine.as_ref();
        let now = self.clock.unix_now();
        let (settlement, quarantine) = match self.apply(journal, entry, change).await? {
            ChangeVerdict::Applied => (Settlement::Applied, None),
            ChangeVerdict::Rejected(rejection, attempt) => {
                let again = attempt.and_then(|attempt| Quarantine::after(before, attempt, now));
                (rejection_report(&rejection).into(), again)
            }
            ChangeVerdict::Superseded => {
                let sequence = entry.sequence;
                return note(journal, move |journal| journal.release(sequence)).await;
            }
            ChangeVerdict::Deferred(why) => {
                let held = change_report(
                    &entry.id,
                    &entry.kind,
                    ChangeOutcome::Held,
                    None,
                    Some(why.clone()),
                    Vec::new(),
                );
                tracing::warn!(change = entry.id, why, "the change waits");
                self.status.record_change(&held);
                report.held.push(held);
                return Ok(());
            }
        };
        self.settled(journal, entry, settlement, quarantine, report).await
    }

    /// Tries changes again that were rejected for what may have come right since.
    async fn try_again(
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
                tracing::info!(change = entry.id, "a change that was rejected is tried again");
                self.judge(journal, &entry, change, report).await?;
            }
        }
        Ok(())
    }

    async fn settled(
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
                tracing::error!(change = id, class, summary, "change rejected; what was served is served on");
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

    async fn apply(&self, journal: &Arc<Journal>, entry: &Entry, change: Change) -> Result<ChangeVerdict> {
        let stopping = || Error::unavailable("the gateway is stopping");
        let (reply, verdict) = oneshot::channel();
        let noted = JournaledChange {
            sequence: entry.sequence,
            change: Arc::new(change),
            journal: Arc::clone(journal),
            targets: entry.quarantine.as_ref().map(|held| held.targets().to_vec()).unwrap_or_default(),
            before: entry.phase.before().unwrap_or_default().to_vec(),
        };
        self.apply.send(Command::Change(noted, reply)).await.map_err(|_| stopping())?;
        verdict.await.map_err(|_| stopping())
    }

    /// A change that could not be brought here and never will be is rejected like one that is wrong.
    async fn refuse(
        &self,
        journal: &Arc<Journal>,
        entry: &Entry,
        error: &Error,
        report: &mut SyncReport,
    ) -> Result<()> {
        let summary = format!("the change could not be fetched: {}", error_chain(error));
        let rejection = RejectionReport { class: RejectionClass::Fetch, summary, problems: Vec::new() };
        self.settled(journal, entry, rejection.into(), None, report).await
    }

    /// Forgets changes whose bodies never came and that are not listed any more.
    async fn forget_withdrawn(&self, provider: &Arc<dyn Provider>, journal: &Arc<Journal>) -> Result<()> {
        for entry in journal.without_body(provider.name()) {
            if !self.listed.iter().any(|head| head.id.as_str() == entry.id) {
                note(journal, move |journal| journal.forget(entry.sequence)).await?;
            }
        }
        Ok(())
    }

    /// A change with a verdict that is listed again: the verdict did not arrive, or was forgotten there.
    /// It is repeated at once, then less and less often: who does not hear it is not to be hammered.
    async fn listed_again(&mut self, journal: &Arc<Journal>, entry: &Arc<Entry>) -> Result<()> {
        if entry.phase == Phase::Settled && entry.delivery == Delivery::Reported {
            let (sequence, now) = (entry.sequence, Instant::now());
            let (times, due) = self.repeated.get(&sequence).copied().unwrap_or((0, now));
            if now < due {
                return Ok(());
            }
            let wait = REPEAT.saturating_mul(2_u32.saturating_pow(times)).min(REPEAT_CAP);
            self.repeated.insert(sequence, (times.saturating_add(1), now + wait));
            note(journal, move |journal| journal.redeliver(sequence)).await?;
            self.outbox.wake();
        }
        Ok(())
    }

    fn is_primary(&self, provider: &Arc<dyn Provider>) -> bool {
        self.primary.borrow().as_ref().is_some_and(|primary| primary.name() == provider.name())
    }
}
