//! One sync pass: the journal first, then the changes that the provider lists.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use provider_api::{ChangeHead, Pending, Result};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::journal::{Delivery, Entry, Journal, Phase};
use crate::providers::PrimaryProvider;
use crate::providers::isolate::{error_chain, source_problem_of};
use crate::status::{NotTaken, PAUSED};
use crate::storage::failpoints::kill;
use crate::sync::apply_ready::Others;
use crate::sync::caller::Caller;
use crate::sync::lazy_journal::note;
use crate::sync::listing::Listing;
use crate::sync::report::SyncReport;
use crate::sync::steps::{FetchAttempt, Fresh, Outcome, SyncPass};
use crate::sync::summary;

/// The wait between two repeats of a verdict. It doubles each time, up to the cap.
const REPEAT: Duration = Duration::from_secs(60);
/// The longest wait between two repeats of a verdict.
const REPEAT_CAP: Duration = Duration::from_secs(6 * 3600);

/// The changes that wait for the end of a pause and are named one by one. All are counted.
const SHOWN_WAITING: usize = 20;

impl SyncPass {
    /// Opens the journal for the source that is followed.
    pub(super) async fn open(&mut self, primary: &PrimaryProvider) -> Result<Arc<Journal>> {
        let journal = self.journal.get().await?;
        let source = primary.source.clone();
        note(&journal, move |journal| journal.adopt(&source)).await?;
        Ok(journal)
    }

    /// Returns the changes whose verdict the provider has, before it is asked for a list.
    pub(super) fn settled(&self, journal: &Journal, primary: &PrimaryProvider) -> HashSet<String> {
        Listing::settled(journal, &primary.source, |sequence| self.repeated.contains_key(&sequence))
    }

    /// Returns whether a list has a change that the journal does not have.
    pub(super) fn is_news(&self, primary: &PrimaryProvider, list: &Pending) -> bool {
        let (Pending::Changes(heads), Some(journal)) = (list, &self.journal.open) else { return false };
        heads.iter().any(|head| journal.find(&primary.source, &head.id).is_none())
    }

    /// Takes a new list, if there is one, and applies its changes, oldest first. A `requested` pass also retries failed
    /// fetches before they are due, because an operator waits for the result.
    pub(super) async fn run(
        &mut self,
        primary: &PrimaryProvider,
        list: Option<(Pending, HashSet<String>)>,
        requested: bool,
        report: SyncReport,
    ) -> (SyncReport, Result<()>) {
        let outcome = Outcome::new(report);
        let result = self.sync_with(primary, list, requested, &outcome).await;
        let (mut report, failure) = outcome.into_parts();
        let result = result.and_then(|()| failure.map_or(Ok(()), Err));
        if self.is_primary(primary) {
            let mut not_taken = self.listing().not_taken();
            let waiting = self.waiting(primary);
            let first = waiting.iter().take(SHOWN_WAITING);
            not_taken.extend(first.map(|head| NotTaken::new(head.id.as_str(), head.kind.as_str(), PAUSED)));
            report.not_taken.clone_from(&not_taken);
            report.paused = self.pause.current();
            report.problem = source_problem_of(&*primary.provider);
            self.status.listed(not_taken, report.problem.clone(), waiting.len());
            self.summarize(primary);
        }
        report.error = result.as_ref().err().map(error_chain);
        (report, result)
    }

    /// Returns the listed changes that wait for the end of a pause, without those that the journal has.
    fn waiting(&self, primary: &PrimaryProvider) -> Vec<ChangeHead> {
        let is_known = |head: &ChangeHead| {
            self.journal
                .open
                .as_ref()
                .is_some_and(|journal| journal.find(&primary.source, &head.id).is_some())
        };
        match self.pause.is_set() {
            true => self.listed.iter().filter(|head| !is_known(head)).cloned().collect(),
            false => Vec::new(),
        }
    }

    /// Finishes the changes of the journal, without a request for new ones.
    pub(super) async fn finish(&mut self, primary: &PrimaryProvider) -> Result<()> {
        if self.pause.is_set() {
            return Ok(());
        }
        let (journal, outcome) = (self.open(primary).await?, Outcome::default());
        let open = unsettled(&journal, primary);
        self.take(primary, &journal, open, Vec::new(), Others::MayBeMissing, &outcome).await?;
        self.retry_quarantined(primary, &journal, &outcome).await?;
        self.summarize(primary);
        outcome.into_parts().1.map_or(Ok(()), Err)
    }

    /// Finishes the changes that the journal has without a verdict, before the provider is asked. One that is refused is tried
    /// again with what the provider lists: it may need a change that an interrupted pass has not fetched.
    pub(super) async fn finish_unsettled(
        &mut self,
        primary: &PrimaryProvider,
        journal: &Arc<Journal>,
        report: &mut SyncReport,
    ) -> Result<()> {
        if self.pause.is_set() {
            return Ok(());
        }
        let outcome = Outcome::new(std::mem::take(report));
        let open = unsettled(journal, primary);
        let result = self.take(primary, journal, open, Vec::new(), Others::NotKnown, &outcome).await;
        let (done, failure) = outcome.into_parts();
        *report = done;
        self.unfinished = failure;
        self.refused = result?.iter().map(|entry| entry.sequence).collect();
        Ok(())
    }

    fn summarize(&self, primary: &PrimaryProvider) {
        if let Some(journal) = &self.journal.open {
            summary::update(journal, &primary.source, &self.status);
        }
    }

    async fn sync_with(
        &mut self,
        primary: &PrimaryProvider,
        list: Option<(Pending, HashSet<String>)>,
        requested: bool,
        outcome: &Outcome,
    ) -> Result<()> {
        let journal = self.open(primary).await?;
        if let Some((list, settled)) = list {
            self.update_list(primary, list, &settled, &journal).await?;
        }
        // The list shows what waits. Nothing of it is fetched: an acknowledgement would say that this gateway takes it.
        if self.pause.is_set() {
            return Ok(());
        }
        if let Some(error) = self.unfinished.take() {
            outcome.fail(error);
        }
        let attempts = self.attempts(primary, &journal, requested).await?;
        let refused = std::mem::take(&mut self.refused);
        let open = unsettled(&journal, primary).into_iter().filter(|entry| refused.contains(&entry.sequence));
        self.take(primary, &journal, open.collect(), attempts, Others::MayBeMissing, outcome).await?;
        self.prune(primary, &journal);
        self.retry_quarantined(primary, &journal, outcome).await
    }

    /// Takes a list of changes, and forgets those that the provider withdrew.
    async fn update_list(
        &mut self,
        primary: &PrimaryProvider,
        list: Pending,
        settled: &HashSet<String>,
        journal: &Arc<Journal>,
    ) -> Result<()> {
        if let Pending::Changes(heads) = list {
            self.listing().received(&heads, settled);
            self.listed = heads;
            self.forget_withdrawn(primary, journal).await?;
        }
        self.status.record_response();
        Ok(())
    }

    /// Records which listed changes are about to be fetched, and repeats the verdicts of those that the provider lists again.
    async fn attempts(
        &mut self,
        primary: &PrimaryProvider,
        journal: &Arc<Journal>,
        requested: bool,
    ) -> Result<Vec<FetchAttempt>> {
        let now = self.clock.unix_now();
        let (mut attempts, mut due, mut repeated) = (Vec::new(), Vec::new(), Vec::new());
        let mut seen = HashSet::new();
        for head in self.listed.iter().filter(|head| seen.insert(&head.id)) {
            match journal.find(&primary.source, &head.id) {
                Some(entry) if entry.phase != Phase::Seen => {
                    repeated.extend(repeat_is_due(&mut self.repeated, &entry).then_some(entry.sequence));
                }
                Some(entry) if !entry.fetch_is_due(now) => {
                    if requested {
                        attempts.push(FetchAttempt { entry, counts: false });
                    }
                }
                _ => due.push(head.clone()),
            }
        }
        if !repeated.is_empty() {
            note(journal, move |journal| journal.redeliver(&repeated)).await?;
            self.outbox.wake();
        }
        if !due.is_empty() {
            let source = primary.source.clone();
            let entries = note(journal, move |journal| journal.fetching(&source, &due)).await?;
            attempts.extend(entries.into_iter().map(|entry| FetchAttempt { entry, counts: true }));
            attempts.sort_by_key(|attempt| attempt.entry.sequence);
            kill("seen");
        }
        Ok(attempts)
    }

    /// Fetches, acknowledges and applies changes; those in `open` are fetched already. The steps go on at the same time, each
    /// with what the one before has done. Returns the changes whose verdict waits for others `at_end`.
    async fn take(
        &self,
        primary: &PrimaryProvider,
        journal: &Arc<Journal>,
        open: Vec<Arc<Entry>>,
        attempts: Vec<FetchAttempt>,
        at_end: Others,
        outcome: &Outcome,
    ) -> Result<Vec<Arc<Entry>>> {
        let Some(caller) = self.outbox.caller(&primary.source).filter(Caller::has_source) else {
            return Ok(Vec::new());
        };
        let (fetched, to_record) = mpsc::unbounded_channel();
        let (fresh, to_acknowledge) = mpsc::unbounded_channel();
        let (answered, to_note) = mpsc::unbounded_channel();
        let (ready, to_apply) = mpsc::unbounded_channel();
        let mut unannounced = Vec::new();
        for entry in open {
            if entry.acknowledged {
                let _ = ready.send(entry);
                continue;
            }
            if !entry.announced {
                unannounced.push(entry.sequence);
            }
            let announced_before = entry.announced;
            let _ = fresh.send(Fresh { entry, announced_before });
        }
        if !unannounced.is_empty() {
            note(journal, move |journal| journal.announcing(&unannounced)).await?;
        }
        let (.., refused) = tokio::try_join!(
            self.fetch_all(&caller, primary, journal, attempts, fetched),
            self.record_fetched(primary, journal, to_record, fresh, outcome),
            self.acknowledge_all(&caller, primary, to_acknowledge, answered),
            self.record_acknowledged(primary, journal, to_note, ready, outcome),
            self.apply_ready(primary, journal, to_apply, at_end, outcome),
        )?;
        Ok(refused)
    }

    /// Drops the state that later passes do not need: listed changes whose bodies are in the journal, and repeats of
    /// verdicts that the journal has dropped.
    fn prune(&mut self, primary: &PrimaryProvider, journal: &Arc<Journal>) {
        self.listed.retain(|head| {
            journal.find(&primary.source, &head.id).is_none_or(|entry| entry.phase == Phase::Seen)
        });
        let recorded: HashSet<u64> = journal.all().iter().map(|entry| entry.sequence).collect();
        self.repeated.retain(|sequence, _| recorded.contains(sequence));
    }

    /// Forgets changes without a body that the provider no longer lists.
    async fn forget_withdrawn(&self, primary: &PrimaryProvider, journal: &Arc<Journal>) -> Result<()> {
        let listed: HashSet<&str> = self.listed.iter().map(|head| head.id.as_str()).collect();
        let gone = journal.without_body(&primary.source).into_iter();
        let gone: Vec<u64> =
            gone.filter(|entry| !listed.contains(entry.id.as_str())).map(|entry| entry.sequence).collect();
        match gone.is_empty() {
            true => Ok(()),
            false => note(journal, move |journal| journal.forget(&gone)).await,
        }
    }
}

/// Returns the fetched changes of a source that have no verdict.
fn unsettled(journal: &Journal, primary: &PrimaryProvider) -> Vec<Arc<Entry>> {
    journal.unsettled().into_iter().filter(|entry| entry.is_from(&primary.source)).collect()
}

/// Returns whether a delivered verdict is reported again, because the provider still lists its change and so has lost it.
/// The first repeat is sent at once, later ones at growing intervals, to limit the load on a provider that ignores them.
fn repeat_is_due(repeated: &mut HashMap<u64, (u32, Instant)>, entry: &Entry) -> bool {
    if entry.phase != Phase::Settled || entry.delivery != Delivery::Reported {
        return false;
    }
    let now = Instant::now();
    let (times, due) = repeated.get(&entry.sequence).copied().unwrap_or((0, now));
    if now < due {
        return false;
    }
    let wait = REPEAT.saturating_mul(2_u32.saturating_pow(times)).min(REPEAT_CAP);
    repeated.insert(entry.sequence, (times.saturating_add(1), now + wait));
    true
}
