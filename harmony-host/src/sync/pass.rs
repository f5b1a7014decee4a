//! One sync pass: the journal first, then the changes that the provider lists.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use provider_api::{
    ChangeHead, Clock, ConfigSource, Error, ErrorKind, Pending, Provider, RejectionClass, RejectionReport,
    Result,
};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use crate::apply::Command;
use crate::journal::{Delivery, Entry, Journal, Phase, TRIES};
use crate::providers::isolate::{error_chain, isolated, source_problem_of};
use crate::status::StatusBoard;
use crate::storage::failpoints::kill;
use crate::sync::lazy_journal::{LazyJournal, note};
use crate::sync::listing::Listing;
use crate::sync::outbox::Outbox;
use crate::sync::report::SyncReport;
use crate::sync::summary;

/// The state of sync passes, from one to the next.
pub(super) struct SyncPass {
    pub(super) apply: mpsc::Sender<Command>,
    pub(super) primary: watch::Receiver<Option<Arc<dyn Provider>>>,
    pub(super) journal: LazyJournal,
    pub(super) outbox: Arc<Outbox>,
    pub(super) status: Arc<StatusBoard>,
    /// The changes of the last list whose bodies are not in the journal. `Unchanged` means that the list is still valid.
    pub(super) listed: Vec<ChangeHead>,
    /// The repeats of each verdict whose change the provider still lists, and the earliest time of the next one.
    pub(super) repeated: HashMap<u64, (u32, Instant)>,
    /// The changes that stay pending at the provider.
    pub(super) listing: Listing,
    pub(super) clock: Arc<dyn Clock>,
}

/// The maximum number of fetches of one change, also over restarts: at once, then 1 minute, 10 minutes and 1 hour after
/// the previous failure. Then the change is rejected.
const FETCHES: u32 = TRIES;

/// The number of consecutive failed fetches after which the provider counts as unavailable.
const MISSES: u32 = 3;

/// The wait between two repeats of a verdict. It doubles each time, up to the cap.
const REPEAT: Duration = Duration::from_secs(60);
/// The longest wait between two repeats of a verdict.
const REPEAT_CAP: Duration = Duration::from_secs(6 * 3600);

/// A fetch of the body of a change.
struct FetchAttempt {
    entry: Arc<Entry>,
    /// Set when the fetch counts toward [`FETCHES`]. A fetch that an operator requests before it is due does not count.
    counts: bool,
}

/// The result of a fetch.
enum Fetched {
    /// The body is saved in the journal.
    Saved(Arc<Entry>),
    /// The change is rejected: no retry can fetch its body.
    Rejected,
    /// The body cannot be fetched now; a later pass retries.
    Unavailable(Error),
}

impl SyncPass {
    /// Finishes the changes of the journal, then applies those that the provider lists, oldest first. A `requested` pass
    /// also retries failed fetches before they are due, because an operator waits for the result.
    pub(super) async fn run(
        &mut self,
        provider: &Arc<dyn Provider>,
        requested: bool,
    ) -> (SyncReport, Result<()>) {
        let mut report = SyncReport::default();
        let result = match provider.source() {
            Some(source) => self.open_and_sync(provider, source, requested, &mut report).await,
            None => Err(Error::invalid("the provider has no source of changes")),
        };
        report.error = result.as_ref().err().map(error_chain);
        (report, result)
    }

    /// Finishes the changes of the journal, without a request for new ones.
    pub(super) async fn finish(&mut self, provider: &Arc<dyn Provider>) -> Result<()> {
        let Some(source) = provider.source() else { return Ok(()) };
        let mut report = SyncReport::default();
        let journal = self.journal.get().await?;
        let finished = self.finish_unsettled(provider, source, &journal, &mut report).await;
        summary::update(&journal, provider, &self.status);
        finished
    }

    async fn finish_unsettled(
        &mut self,
        provider: &Arc<dyn Provider>,
        source: &dyn ConfigSource,
        journal: &Arc<Journal>,
        report: &mut SyncReport,
    ) -> Result<()> {
        for entry in journal.unsettled() {
            if entry.provider == provider.name().as_str() && self.is_primary(provider) {
                self.process(source, journal, &entry, report).await?;
            }
        }
        Ok(())
    }

    async fn open_and_sync(
        &mut self,
        provider: &Arc<dyn Provider>,
        source: &dyn ConfigSource,
        requested: bool,
        report: &mut SyncReport,
    ) -> Result<()> {
        let journal = self.journal.get().await?;
        let synced = self.sync_with(provider, source, requested, &journal, report).await;
        let not_taken = self.listing.not_taken();
        report.not_taken.clone_from(&not_taken);
        report.problem = source_problem_of(&**provider);
        self.status.listed(not_taken, report.problem.clone());
        summary::update(&journal, provider, &self.status);
        synced
    }

    async fn sync_with(
        &mut self,
        provider: &Arc<dyn Provider>,
        source: &dyn ConfigSource,
        requested: bool,
        journal: &Arc<Journal>,
        report: &mut SyncReport,
    ) -> Result<()> {
        self.finish_unsettled(provider, source, journal, report).await?;
        if !self.is_primary(provider) {
            return Ok(());
        }
        self.update_list(provider, source, journal).await?;
        let failure = self.apply_listed(provider, source, requested, journal, report).await?;
        self.prune(provider, journal);
        self.retry_quarantined(provider, journal, report).await?;
        failure.map_or(Ok(()), Err)
    }

    /// Requests the list of changes, and forgets those that the provider withdrew.
    async fn update_list(
        &mut self,
        provider: &Arc<dyn Provider>,
        source: &dyn ConfigSource,
        journal: &Arc<Journal>,
    ) -> Result<()> {
        let settled =
            Listing::settled(journal, provider.name(), |sequence| self.repeated.contains_key(&sequence));
        if let Pending::Changes(heads) = isolated(source.pending()).await? {
            self.listing.received(&heads, &settled);
            self.listed = heads;
            self.forget_withdrawn(provider, journal).await?;
        }
        self.status.record_response();
        Ok(())
    }

    /// Fetches and applies the listed changes, oldest first. Returns the first error of a change that could not be
    /// fetched now. The other changes are still applied, and the pass fails at its end.
    async fn apply_listed(
        &mut self,
        provider: &Arc<dyn Provider>,
        source: &dyn ConfigSource,
        requested: bool,
        journal: &Arc<Journal>,
        report: &mut SyncReport,
    ) -> Result<Option<Error>> {
        let mut failure = None;
        let mut misses = 0;
        for head in self.listed.clone() {
            if !self.is_primary(provider) {
                break;
            }
            let known = journal.find(provider.name(), &head.id);
            if let Some(entry) = known.as_ref().filter(|entry| entry.phase != Phase::Seen) {
                self.repeat_verdict(journal, entry).await?;
                continue;
            }
            let attempt = self.start_fetch(provider, journal, &head, known, requested).await?;
            let Some(attempt) = attempt else { continue };
            match self.fetch(source, journal, &head, &attempt, report).await? {
                Fetched::Saved(entry) => {
                    misses = 0;
                    self.process(source, journal, &entry, report).await?;
                }
                Fetched::Rejected => {}
                Fetched::Unavailable(error) => {
                    misses += 1;
                    failure.get_or_insert(error);
                    if misses >= MISSES {
                        break;
                    }
                }
            }
        }
        Ok(failure)
    }

    /// Records that a change is about to be fetched. Returns `None` when its next fetch is not due yet.
    async fn start_fetch(
        &self,
        provider: &Arc<dyn Provider>,
        journal: &Arc<Journal>,
        head: &ChangeHead,
        known: Option<Arc<Entry>>,
        requested: bool,
    ) -> Result<Option<FetchAttempt>> {
        let early = known.filter(|entry| !entry.fetch_is_due(self.clock.unix_now()));
        match early {
            Some(_) if !requested => Ok(None),
            Some(entry) => Ok(Some(FetchAttempt { entry, counts: false })),
            None => {
                let (name, head) = (provider.name().clone(), head.clone());
                let entry = note(journal, move |journal| journal.fetching(&name, &head)).await?;
                Ok(Some(FetchAttempt { entry, counts: true }))
            }
        }
    }

    /// Fetches the body of a change and saves it in the journal. Rejects the change if no retry can
    /// fetch it.
    async fn fetch(
        &self,
        source: &dyn ConfigSource,
        journal: &Arc<Journal>,
        head: &ChangeHead,
        attempt: &FetchAttempt,
        report: &mut SyncReport,
    ) -> Result<Fetched> {
        let seen = &attempt.entry;
        let sequence = seen.sequence;
        let last = attempt.counts && seen.fetches >= FETCHES;
        kill("seen");
        let error = match isolated(source.fetch(&head.id)).await {
            Ok(change) if change.id == head.id => {
                let entry = note(journal, move |journal| journal.fetched(sequence, &change)).await?;
                kill("fetched");
                return Ok(Fetched::Saved(entry));
            }
            Ok(_) => Error::invalid("the provider sent another change than the requested one"),
            Err(error) if error.kind() == ErrorKind::Unavailable && !last => {
                if attempt.counts {
                    let (now, why) = (self.clock.unix_now(), error_chain(&error));
                    note(journal, move |journal| journal.fetch_failed(sequence, now, &why)).await?;
                }
                tracing::warn!(change = %head.id, error = error_chain(&error), "the change cannot be fetched now");
                return Ok(Fetched::Unavailable(error));
            }
            Err(error) => error,
        };
        self.reject_unfetched(journal, seen, &error, report).await?;
        Ok(Fetched::Rejected)
    }

    /// Drops the state that later passes do not need: listed changes whose bodies are in the journal, and repeats of
    /// verdicts that the journal has dropped.
    fn prune(&mut self, provider: &Arc<dyn Provider>, journal: &Arc<Journal>) {
        self.listed.retain(|head| {
            journal.find(provider.name(), &head.id).is_none_or(|entry| entry.phase == Phase::Seen)
        });
        let recorded: HashSet<u64> = journal.all().iter().map(|entry| entry.sequence).collect();
        self.repeated.retain(|sequence, _| recorded.contains(sequence));
    }

    /// Rejects a change whose body cannot be fetched by a retry.
    async fn reject_unfetched(
        &self,
        journal: &Arc<Journal>,
        entry: &Entry,
        error: &Error,
        report: &mut SyncReport,
    ) -> Result<()> {
        let summary = format!("the change could not be fetched: {}", error_chain(error));
        let rejection = RejectionReport { class: RejectionClass::Fetch, summary, problems: Vec::new() };
        self.settle(journal, entry, rejection.into(), None, report).await
    }

    /// Forgets changes without a body that the provider no longer lists.
    async fn forget_withdrawn(&self, provider: &Arc<dyn Provider>, journal: &Arc<Journal>) -> Result<()> {
        for entry in journal.without_body(provider.name()) {
            if !self.listed.iter().any(|head| head.id.as_str() == entry.id) {
                note(journal, move |journal| journal.forget(entry.sequence)).await?;
            }
        }
        Ok(())
    }

    /// Reports a delivered verdict again when the provider still lists its change, since the provider has lost the verdict.
    /// The first repeat is sent at once, later ones at growing intervals, to limit the load on a provider that ignores them.
    async fn repeat_verdict(&mut self, journal: &Arc<Journal>, entry: &Arc<Entry>) -> Result<()> {
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

    pub(super) fn is_primary(&self, provider: &Arc<dyn Provider>) -> bool {
        self.primary.borrow().as_ref().is_some_and(|primary| primary.name() == provider.name())
    }
}
