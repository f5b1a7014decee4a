//! The board: the current status, for one writer at a time and any number of readers.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use arc_swap::ArcSwap;
use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::metrics::ControlCounters;
use crate::providers::{PrimaryProvider, SourceId};
use crate::status::overview::{Desired, Status};
use crate::status::pause::Pause;
use crate::status::sync::{SyncFailure, SyncStatus};
use crate::status::timestamp;
use crate::status::{AppliedChange, AttemptVerdict, Attempted, ChangeOutcome, ChangeReport, NotTaken};

/// The reason of a change that waits for the end of a pause.
pub(crate) const PAUSED: &str = "the sync is paused";

/// The reason of the same change after the pause, until it is taken.
const RESUMED: &str = "it came while the sync was paused; it is taken in the next sync pass, and by `harmony-host sync` at once";

/// The state of a provider's changes in the journal.
#[derive(Debug, Default)]
pub(crate) struct JournalSummary {
    /// The ids of the changes without a verdict.
    pub(crate) unsettled: Vec<String>,
    /// The reason for which one of them has no document.
    pub(crate) unfetched: Option<String>,
    /// The number of verdicts that the provider has not received.
    pub(crate) undelivered: usize,
    /// The number of rejected changes that are tried again.
    pub(crate) quarantined: usize,
    /// The rejected change that keeps the gateway out of sync, and the reason.
    pub(crate) rejected: Option<String>,
    /// The size of the journal, in bytes.
    pub(crate) bytes: u64,
}

/// The current status. The gateway writes it; the management API reads it without a lock.
#[derive(Debug)]
pub(crate) struct StatusBoard {
    status: ArcSwap<Status>,
    writing: Mutex<()>,
    /// Counters since the start.
    pub(crate) counters: ControlCounters,
    changed: watch::Sender<()>,
}

impl StatusBoard {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            status: ArcSwap::from_pointee(Status {
                desired: Desired { digest: String::new(), read_at: now() },
                attempted: None,
                effective: None,
                overlay: None,
                sync: None,
                last_good: None,
                paused: None,
                audit: None,
                history: None,
                rolled_back: Vec::new(),
            }),
            writing: Mutex::new(()),
            counters: ControlCounters::default(),
            changed: watch::Sender::new(()),
        })
    }

    pub(crate) fn read(&self) -> Arc<Status> {
        self.status.load_full()
    }

    pub(crate) fn change(&self, change: impl FnOnce(&mut Status)) {
        let _guard = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut status = Status::clone(&self.status.load());
        let before = status.attempted.as_ref().map(|attempted| (attempted.at, attempted.digest.clone()));
        change(&mut status);
        self.count_attempt(before, status.attempted.as_ref());
        self.status.store(Arc::new(status));
        self.changed.send_replace(());
    }

    /// Returns a receiver that sees the changes from now on.
    #[cfg(feature = "gateway")]
    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// Records that the sync is paused, or no longer.
    pub(crate) fn paused(&self, paused: Option<Pause>) {
        self.change(|status| {
            status.paused = paused;
            if let (None, Some(sync)) = (&status.paused, &mut status.sync) {
                sync.waiting = 0;
                for one in sync.not_taken.iter_mut().filter(|one| one.reason == PAUSED) {
                    one.reason = RESUMED.to_owned();
                }
            }
        });
    }

    /// Counts a configuration that was tried, if it is another attempt than before.
    fn count_attempt(&self, before: Option<(Timestamp, String)>, now: Option<&Attempted>) {
        let Some(now) = now.filter(|now| before != Some((now.at, now.digest.clone()))) else { return };
        match now.verdict {
            AttemptVerdict::Applied => self.counters.applied.inc(),
            AttemptVerdict::Rejected => self.counters.rejected(now.class.as_deref().unwrap_or_default()),
        }
    }

    fn sync(&self, change: impl FnOnce(&mut SyncStatus)) {
        self.change(|status| {
            if let Some(sync) = &mut status.sync {
                change(sync);
            }
        });
    }

    /// Records the provider that the gateway syncs with. What another source has answered says nothing about it.
    pub(crate) fn following(&self, primary: Option<&PrimaryProvider>) {
        self.change(|status| match (primary, &mut status.sync) {
            (None, sync) => *sync = None,
            (Some(primary), Some(sync)) if sync.source == primary.source => sync.update(&*primary.provider),
            (Some(primary), sync) => *sync = Some(SyncStatus::new(primary)),
        });
    }

    /// Records a response of the provider.
    pub(crate) fn record_response(&self) {
        self.sync(|sync| sync.heard_at = Some(now()));
    }

    /// Records the end of a sync pass: `None`, or the last error and the number of failures in a row.
    pub(crate) fn record_pass(&self, failure: Option<(String, u32)>) {
        let ControlCounters { passes, failed_passes, .. } = &self.counters;
        if failure.is_some() {
            failed_passes.inc()
        } else {
            passes.inc()
        };
        self.sync(|sync| {
            let since = sync.failure.as_ref().map_or_else(now, |failure| failure.since);
            sync.failure = failure.map(|(message, times)| SyncFailure { message, times, since });
        });
    }

    /// Records the time of the next scheduled pass.
    pub(crate) fn due(&self, due: Option<Instant>) {
        let at = due.map(|due| {
            let left = due.saturating_duration_since(Instant::now());
            SystemTime::now().checked_add(left).map_or_else(now, timestamp)
        });
        self.sync(|sync| sync.due_at = at);
    }

    /// Records the outcome of a change.
    pub(crate) fn record_change(&self, change: &ChangeReport) {
        let ControlCounters { changes_applied, changes_rejected, changes_held, .. } = &self.counters;
        match change.verdict {
            ChangeOutcome::Applied => changes_applied.inc(),
            ChangeOutcome::Rejected => changes_rejected.inc(),
            ChangeOutcome::Held => changes_held.inc(),
        }
        self.sync(|sync| {
            sync.last_change = Some(change.clone());
            match (change.verdict, &change.summary) {
                (ChangeOutcome::Held, Some(why)) => {
                    let reason = format!("the {} change {} is deferred: {why}", change.kind, change.id);
                    sync.deferred.insert(change.id.clone(), reason);
                }
                _ => drop(sync.deferred.remove(&change.id)),
            }
            if change.verdict == ChangeOutcome::Applied {
                let (id, kind, at) = (change.id.clone(), change.kind.clone(), Some(change.at));
                sync.evidence.last_applied = Some(AppliedChange { id, kind, at });
            }
        });
    }

    /// Records the last applied change of an earlier process, if none was applied since.
    pub(crate) fn applied_before(&self, id: &str, kind: &str) {
        self.sync(|sync| {
            let change = || AppliedChange { id: id.to_owned(), kind: kind.to_owned(), at: None };
            sync.evidence.last_applied.get_or_insert_with(change);
        });
    }

    /// Records since when this state is used with the gateway's id, and why it is not known what was acknowledged
    /// before.
    pub(crate) fn first_contact(&self, at: SystemTime, unknown: Option<String>) {
        self.sync(|sync| (sync.evidence.since, sync.evidence.unknown) = (Some(timestamp(at)), unknown));
    }

    /// Records the changes that the provider lists and this gateway has not taken, the problem of the list, and the number of
    /// changes that wait for the end of a pause.
    pub(crate) fn listed(&self, not_taken: Vec<NotTaken>, problem: Option<String>, waiting: usize) {
        self.sync(|sync| {
            (sync.not_taken, sync.source_problem, sync.waiting) = (not_taken, problem, waiting);
        });
    }

    /// Records why the source of changes is asked less often than it answers; `None` when it is not.
    pub(crate) fn busy(&self, busy: Option<String>) {
        self.sync(|sync| sync.busy = busy);
    }

    /// Records the state of the changes of a source in the journal, if it is the one that is followed.
    pub(crate) fn journal(&self, source: &SourceId, journal: JournalSummary) {
        let JournalSummary { unsettled, unfetched, undelivered, quarantined, rejected, bytes } = journal;
        self.sync(|sync| {
            if sync.source != *source {
                return;
            }
            sync.deferred.retain(|id, _| unsettled.contains(id));
            sync.unsettled = unsettled.len();
            (sync.unfetched, sync.rejected) = (unfetched, rejected);
            (sync.undelivered, sync.quarantined) = (undelivered, quarantined);
            sync.journal_bytes = Some(bytes);
        });
    }
}

fn now() -> jiff::Timestamp {
    timestamp(SystemTime::now())
}
