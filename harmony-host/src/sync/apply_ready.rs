//! The part of a sync pass after the acknowledgement: what is ready is applied together, and settled.

use std::cell::LazyCell;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use provider_api::{Error, Result};
use tokio::sync::mpsc::{self, UnboundedReceiver};
use tokio::time::timeout;

use crate::apply::{ChangeVerdict, Command, JournaledChange};
use crate::history::{self, Cause, ChangeRef};
use crate::journal::{Entry, Journal, Phase, Quarantine, Settlement, Verdict};
use crate::providers::PrimaryProvider;
use crate::status::ChangeOutcome;
use crate::storage::failpoints::kill;
use crate::sync::lazy_journal::note;
use crate::sync::rejection::{change_report, rejection_report};
use crate::sync::steps::{Outcome, SyncPass};

/// The most changes that are applied together.
const BATCH: usize = 1_000;

/// The time that ready changes wait for the next one: a call that hangs must not keep them waiting.
const STRAGGLERS: Duration = Duration::from_millis(500);

/// The changes besides those that are applied, on which a rejection may depend.
#[derive(Clone, Copy)]
pub(super) enum Others {
    /// Some may still become ready in this pass.
    MayCome,
    /// The provider was not asked yet.
    NotKnown,
    /// The pass is at its end. A change that could not be acknowledged is not applied, and comes again in the next pass.
    MayBeMissing,
    /// The change was rejected before.
    DoNotMatter,
}

/// The treatment of changes that are refused.
enum Refused {
    /// The change has its verdict.
    Settles,
    /// The change is tried again together with others, in this pass.
    IsTriedAgain,
    /// The change waits for the one with this id.
    WaitsFor(String),
}

impl Others {
    /// Returns the treatment of a refused change: one that is still to be applied may have what it needs.
    fn refused(self, journal: &Journal, primary: &PrimaryProvider) -> Refused {
        let entries = journal.all();
        let mut own = entries.iter().filter(|entry| entry.is_from(&primary.source));
        match self {
            Self::MayCome if own.any(|entry| matches!(entry.phase, Phase::Seen | Phase::Fetched)) => {
                Refused::IsTriedAgain
            }
            Self::NotKnown => Refused::IsTriedAgain,
            Self::MayBeMissing => match own.find(|entry| entry.phase == Phase::Fetched) {
                Some(entry) => Refused::WaitsFor(entry.id.clone()),
                None => Refused::Settles,
            },
            Self::MayCome | Self::DoNotMatter => Refused::Settles,
        }
    }
}

impl SyncPass {
    /// Applies changes as they become ready: all that arrive without a pause together. Returns those whose verdict waits for
    /// others `at_end`.
    pub(super) async fn apply_ready(
        &self,
        primary: &PrimaryProvider,
        journal: &Arc<Journal>,
        mut ready: UnboundedReceiver<Arc<Entry>>,
        at_end: Others,
        outcome: &Outcome,
    ) -> Result<Vec<Arc<Entry>>> {
        let mut batch: Vec<Arc<Entry>> = Vec::new();
        let mut refused = Vec::new();
        loop {
            let room = BATCH - batch.len();
            let wait = if batch.is_empty() { Duration::MAX } else { STRAGGLERS };
            let arrived = timeout(wait, ready.recv_many(&mut batch, room)).await;
            if arrived == Ok(0) {
                break;
            }
            if arrived.is_err() || batch.len() == BATCH {
                let entries = std::mem::take(&mut batch);
                refused.extend(self.apply_all(primary, journal, entries, Others::MayCome, outcome).await?);
            }
        }
        refused.append(&mut batch);
        self.apply_all(primary, journal, refused, at_end, outcome).await
    }

    /// Applies fetched changes together, and records each verdict as soon as it is known. Returns those whose verdict waits
    /// for others.
    async fn apply_all(
        &self,
        primary: &PrimaryProvider,
        journal: &Arc<Journal>,
        entries: Vec<Arc<Entry>>,
        others: Others,
        outcome: &Outcome,
    ) -> Result<Vec<Arc<Entry>>> {
        let mut refused = Vec::new();
        if entries.is_empty() || !self.may_take(primary) {
            return Ok(refused);
        }
        let stopping = || Error::unavailable("the gateway is stopping");
        let changes = entries.iter().filter_map(|entry| journaled(primary, journal, entry)).collect();
        let mut entries: HashMap<u64, Arc<Entry>> =
            entries.into_iter().map(|entry| (entry.sequence, entry)).collect();
        let (verdicts, mut decided) = mpsc::unbounded_channel();
        self.apply.send(Command::Changes(changes, verdicts)).await.map_err(|_| stopping())?;
        let mut arrived = Vec::new();
        while decided.recv_many(&mut arrived, usize::MAX).await > 0 {
            let (mut settled, mut released) = (Vec::new(), Vec::new());
            let treatment = LazyCell::new(|| others.refused(journal, primary));
            for (sequence, verdict) in arrived.drain(..) {
                let Some(entry) = entries.remove(&sequence) else { continue };
                match verdict {
                    ChangeVerdict::Applied => {
                        settled.push(Verdict { sequence, settlement: Settlement::Applied, quarantine: None });
                    }
                    ChangeVerdict::Rejected(rejection, attempt) => match &*treatment {
                        // Without an attempt, no other change makes a difference.
                        Refused::IsTriedAgain if attempt.is_some() => refused.push(entry),
                        Refused::WaitsFor(other) if attempt.is_some() => {
                            let why = rejection.first();
                            let reason = format!("the change {other} is not acknowledged yet, and {why}");
                            self.defer(&entry, reason, outcome);
                        }
                        _ => {
                            let (before, now) = (entry.quarantine.as_ref(), self.clock.unix_now());
                            let quarantine =
                                attempt.and_then(|attempt| Quarantine::after(before, attempt, now));
                            let settlement = rejection_report(&rejection).into();
                            settled.push(Verdict { sequence, settlement, quarantine });
                        }
                    },
                    ChangeVerdict::Superseded => released.push(sequence),
                    ChangeVerdict::Deferred(reason) => self.defer(&entry, reason, outcome),
                }
            }
            if !released.is_empty() {
                note(journal, move |journal| journal.release(&released)).await?;
            }
            self.settle(journal, settled, outcome).await?;
        }
        match entries.values().any(|entry| entry.change().is_some()) {
            true => Err(stopping()),
            false => Ok(refused),
        }
    }

    fn defer(&self, entry: &Entry, reason: String, outcome: &Outcome) {
        tracing::warn!(change = entry.id, reason, "the change waits");
        let (held, none) = (ChangeOutcome::Held, Vec::new());
        let deferred = change_report(&entry.id, &entry.kind, held, None, Some(reason), none);
        self.status.record_change(&deferred);
        outcome.report().held.push(deferred);
    }

    /// Retries rejected changes whose retry is due.
    pub(super) async fn retry_quarantined(
        &self,
        primary: &PrimaryProvider,
        journal: &Arc<Journal>,
        outcome: &Outcome,
    ) -> Result<()> {
        let digest = self.status.read().effective.as_ref().map(|served| served.digest.clone());
        let Some(digest) = digest else { return Ok(()) };
        let now = self.clock.unix_now();
        let is_due = |entry: &Arc<Entry>| {
            let quarantine = entry.quarantine.as_ref();
            entry.is_from(&primary.source) && quarantine.is_some_and(|one| one.is_due(now, &digest))
        };
        let due: Vec<Arc<Entry>> = journal.quarantined().into_iter().filter(is_due).collect();
        for entry in &due {
            tracing::info!(change = entry.id, "retrying a rejected change");
        }
        self.apply_all(primary, journal, due, Others::DoNotMatter, outcome).await.map(drop)
    }

    /// Records verdicts, and shows them in the status and in the report.
    pub(super) async fn settle(
        &self,
        journal: &Arc<Journal>,
        verdicts: Vec<Verdict>,
        outcome: &Outcome,
    ) -> Result<()> {
        if verdicts.is_empty() {
            return Ok(());
        }
        let mut ended = Vec::new();
        for Verdict { sequence, settlement, .. } in &verdicts {
            let Some(entry) = journal.get(*sequence) else { continue };
            let (id, kind) = (entry.id.as_str(), entry.kind.as_str());
            ended.push(match settlement {
                Settlement::Applied => {
                    change_report(id, kind, ChangeOutcome::Applied, None, None, Vec::new())
                }
                Settlement::Rejected { class, summary, problems } => {
                    tracing::error!(
                        change = id,
                        class,
                        summary,
                        "the change was rejected; the active configuration stays"
                    );
                    self.history.refused(refused(&entry, class, summary, problems.len()));
                    let (class, summary) = (Some(class.clone()), Some(summary.clone()));
                    change_report(id, kind, ChangeOutcome::Rejected, class, summary, problems.clone())
                }
            });
        }
        note(journal, move |journal| journal.settle(verdicts)).await?;
        kill("settled");
        for one in ended {
            self.status.record_change(&one);
            let mut report = outcome.report();
            let applied = one.verdict == ChangeOutcome::Applied;
            let list = if applied { &mut report.applied } else { &mut report.rejected };
            list.push(one);
        }
        self.outbox.wake();
        Ok(())
    }
}

/// Returns what the history records of a rejected change.
fn refused(entry: &Entry, class: &str, summary: &str, problems: usize) -> history::Refused {
    let change = ChangeRef { id: entry.id.clone(), kind: entry.kind.clone() };
    history::Refused {
        cause: Cause::Change { provider: entry.provider.clone(), changes: vec![change] },
        at: std::time::SystemTime::now(),
        digest: String::new(),
        class: class.to_owned(),
        problem: summary.to_owned(),
        problems: problems.max(1),
        files: Vec::new(),
    }
}

/// Returns a change with its entry; `None` if the journal no longer has its document.
pub(super) fn journaled(
    primary: &PrimaryProvider,
    journal: &Arc<Journal>,
    entry: &Entry,
) -> Option<JournaledChange> {
    let targets = entry.quarantine.as_ref().map(|quarantine| quarantine.targets().to_vec());
    Some(JournaledChange {
        sequence: entry.sequence,
        change: Arc::new(entry.change()?),
        instance: Arc::clone(&primary.instance),
        journal: Arc::clone(journal),
        targets: targets.unwrap_or_default(),
        before: entry.phase.before().unwrap_or_default().to_vec(),
        tries: entry.tries,
    })
}
