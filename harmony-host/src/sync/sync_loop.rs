//! The sync loop: polls the primary provider, applies changes, reports verdicts.

mod contact;
mod foresee;
mod outcome;
mod paused;

use std::collections::HashSet;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use provider_api::{Cadence, Clock, CredentialStatus, Error, ErrorKind, Pending, Provider, Registry, Result};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout};

use crate::apply::Command;
use crate::history::History;
use crate::journal::Journal;
use crate::providers::PrimaryProvider;
use crate::providers::isolate::{cadence_of, credential_status_of, error_chain};
use crate::snapshot::Snapshot;
use crate::status::{Pause, StatusBoard};
use crate::sync::call::{Primary, is_primary, replaced, while_primary};
use crate::sync::expiry::ExpiryWarnings;
use crate::sync::first_contact::FirstContacts;
use crate::sync::outbox::Outbox;
use crate::sync::pause::PauseSwitch;
use crate::sync::question::{self, Haste, Question};
use crate::sync::schedule::Schedule;
use crate::sync::steps::SyncPass;
use crate::sync::{Backoff, LazyJournal, PushReport, SharedJournal, SyncCommand, SyncReport, push, summary};

/// The parts of a sync loop.
pub(crate) struct SyncParts {
    pub(crate) inbox: mpsc::Receiver<SyncCommand>,
    pub(crate) apply: mpsc::Sender<Command>,
    pub(crate) primary: Primary,
    pub(crate) status: Arc<StatusBoard>,
    pub(crate) pause: Arc<PauseSwitch>,
    pub(crate) journal_directory: PathBuf,
    /// The journal, when there was one at the start.
    pub(crate) journal: Option<Arc<Journal>>,
    pub(crate) shared_journal: SharedJournal,
    /// The provider types that are compiled in.
    pub(crate) registry: Registry,
    /// The configuration to push before the first pass.
    pub(crate) push: Option<Arc<Snapshot>>,
    pub(crate) history: Arc<History>,
    pub(crate) random: fastrand::Rng,
    /// The wall clock.
    pub(crate) clock: Arc<dyn Clock>,
}

/// The interval of the checks for a new credential, which another process may store.
const CREDENTIAL_CHECK: Duration = Duration::from_secs(2);

/// The time that an operator waits for a source that waits for changes. It answers at once when it has one.
const PATIENCE: Duration = Duration::from_secs(1);

/// The interval of looks at unfinished changes while a source waits.
const UPKEEP: Duration = Duration::from_secs(30);

/// The loop that polls the provider for changes. No error ends it.
pub(crate) struct SyncLoop {
    inbox: mpsc::Receiver<SyncCommand>,
    primary: Primary,
    status: Arc<StatusBoard>,
    pass: SyncPass,
    outbox: Arc<Outbox>,
    backoff: Backoff,
    /// The backoff after refusals of the credential, which are no sign of an unavailable control plane.
    refusals: Backoff,
    /// The number of failures in a row, of all kinds.
    failures: u32,
    schedule: Schedule,
    followed: Option<PrimaryProvider>,
    /// The question for the list that is under way.
    question: Option<Question>,
    haste: Haste,
    /// The time of the next look at unfinished changes while a source waits.
    upkeep: Instant,
    registry: Registry,
    push: Option<Arc<Snapshot>>,
    delivery: Option<tokio::task::JoinHandle<()>>,
    /// Set when the last pass failed because this gateway is not authorized.
    unauthorized: bool,
    contacts: FirstContacts,
    /// Set when this state had no journal at the start.
    is_new: bool,
    /// The key of the first contact that the status shows.
    shown_contact: Option<String>,
    expiry: ExpiryWarnings,
    pause: Arc<PauseSwitch>,
    paused: watch::Receiver<Option<Pause>>,
    clock: Arc<dyn Clock>,
}

impl SyncLoop {
    pub(crate) fn new(parts: SyncParts) -> Self {
        let outbox = Outbox::new();
        let contacts = FirstContacts::new(&parts.journal_directory);
        let is_new = parts.journal.is_none();
        let clock = Arc::clone(&parts.clock);
        let pass = SyncPass {
            apply: parts.apply,
            primary: parts.primary.clone(),
            journal: LazyJournal::new(parts.journal_directory, parts.journal, parts.shared_journal),
            outbox: Arc::clone(&outbox),
            status: Arc::clone(&parts.status),
            pause: Arc::clone(&parts.pause),
            listed: Vec::new(),
            repeated: std::collections::HashMap::new(),
            listing: std::sync::Mutex::default(),
            unfinished: None,
            refused: Vec::new(),
            history: parts.history,
            clock: parts.clock,
        };
        Self {
            inbox: parts.inbox,
            primary: parts.primary,
            status: parts.status,
            pass,
            outbox,
            refusals: Backoff::new(parts.random.clone()),
            backoff: Backoff::new(parts.random),
            failures: 0,
            schedule: Schedule::now(),
            followed: None,
            question: None,
            haste: Haste::default(),
            upkeep: Instant::now(),
            registry: parts.registry,
            push: parts.push,
            delivery: None,
            unauthorized: false,
            contacts,
            is_new,
            paused: parts.pause.follow(),
            pause: parts.pause,
            shown_contact: None,
            expiry: ExpiryWarnings::default(),
            clock,
        }
    }

    /// Runs until the gateway stops.
    pub(crate) async fn run(mut self) {
        self.watch_primary();
        self.resume().await;
        loop {
            self.watch_primary();
            let cadence = self.cadence();
            let scheduled = cadence.and_then(|cadence| self.schedule.due(cadence));
            let due = scheduled.filter(|_| self.question.is_none());
            // Of a polled source the poll is due while it is asked; a source that waits has no such time.
            self.status.due(if cadence == Some(Cadence::Waits) { due } else { scheduled });
            let upkeep = (cadence == Some(Cadence::Waits) && self.question.is_some()).then_some(self.upkeep);
            let expiry = self.look_at_expiry().min(self.end_pause().await);
            let watched = self.followed.as_ref().filter(|_| self.unauthorized);
            let authorized = pin!(another_credential(watched.map(|primary| Arc::clone(&primary.provider))));
            tokio::select! {
                biased;
                changed = self.primary.changed() => {
                    if changed.is_err() {
                        return;
                    }
                }
                command = self.inbox.recv() => match command {
                    Some(command) => self.handle(command).await,
                    None => return,
                },
                Ok(()) = self.paused.changed() => {
                    // At once: what waits is taken, or the status shows from now on what waits.
                    if self.cadence() != Some(Cadence::OnDemand) && self.question.is_none() {
                        self.schedule = Schedule::now();
                    }
                }
                () = authorized => {
                    tracing::info!("the credential changed; syncing again");
                    self.authorized();
                }
                answer = question::answer(&mut self.question) => {
                    self.take_list(answer, false, SyncReport::default()).await;
                }
                () = until(due) => {
                    let mut report = SyncReport::default();
                    let _ = self.ask(&mut report).await;
                }
                () = until(upkeep) => {
                    self.upkeep = Instant::now() + UPKEEP;
                    self.finish().await;
                }
                // The next turn of the loop looks again.
                () = tokio::time::sleep(expiry) => {}
            }
        }
    }

    /// Resumes the work of an earlier process: undelivered verdicts, and, for a provider on demand, fetched changes without
    /// a verdict.
    async fn resume(&mut self) {
        let (Some(primary), Some(journal)) = (self.followed.clone(), self.pass.journal.open.clone()) else {
            return;
        };
        if let Err(error) = self.pass.open(&primary).await {
            tracing::warn!(
                error = error_chain(&error),
                "the journal of an earlier version cannot be taken over now"
            );
            return;
        }
        summary::update(&journal, &primary.source, &self.status);
        self.start_delivery();
        if self.cadence() == Some(Cadence::OnDemand) {
            self.finish().await;
        }
        self.outbox.wake();
    }

    /// Finishes what the journal has, without a question for new changes.
    async fn finish(&mut self) {
        let Some(primary) = self.followed.clone() else { return };
        if let Err(error) = self.pass.finish(&primary).await
            && is_primary(&self.primary, &primary)
        {
            tracing::warn!(
                error = error_chain(&error),
                "the changes that have no verdict cannot be finished now"
            );
        }
    }

    /// Switches to the current primary provider, if it is another one. The identity of a provider is its settings: what is
    /// asked of one with other settings is dropped.
    fn watch_primary(&mut self) {
        let primary = self.primary.borrow_and_update().clone();
        let primary = primary.filter(|primary| primary.provider.source().is_some());
        let same = match (&self.followed, &primary) {
            (Some(before), Some(now)) => before.is_same(now),
            (None, None) => true,
            _ => false,
        };
        if let Some(primary) = &primary {
            self.outbox.add_provider(primary);
        }
        if !same {
            self.question = None;
            self.haste = Haste::default();
            self.authorized();
            self.pass.listed.clear();
            self.pass.listing().clear();
            self.shown_contact = None;
            self.outbox.wake();
            match &primary {
                Some(primary) => {
                    tracing::info!(provider = %primary.provider.name(), "syncing with the provider");
                }
                None => tracing::info!("the configuration has no remote provider; the gateway does not sync"),
            }
        }
        self.status.following(primary.as_ref());
        self.followed = primary;
    }

    /// Logs what is due about the end of the credential. Returns the wait until the next look.
    fn look_at_expiry(&mut self) -> Duration {
        let Some(PrimaryProvider { provider, .. }) = &self.followed else {
            return self.expiry.look("", None, self.clock.now());
        };
        let end = match credential_status_of(&**provider) {
            Some(CredentialStatus::Valid { expires_at }) => expires_at,
            _ => None,
        };
        self.expiry.look(provider.name().as_str(), end, self.clock.now())
    }

    fn cadence(&self) -> Option<Cadence> {
        cadence_of(&*self.followed.as_ref()?.provider)
    }

    async fn handle(&mut self, command: SyncCommand) {
        match command {
            SyncCommand::Now(reply) => {
                let report = self.sync_now().await;
                let _ = reply.send(report);
            }
            SyncCommand::Push(snapshot, reply) => {
                let pushed = self.push_up(&snapshot).await;
                self.note_pushed(pushed.as_ref().ok());
                let took_any = pushed.is_ok();
                let _ = reply.send(pushed);
                // The control plane answers a push with changes that have its ids.
                if took_any {
                    self.sync_now().await;
                }
            }
            SyncCommand::Foresee(id, reply) => self.foresee(id, reply).await,
            SyncCommand::Authorized => self.authorized(),
            SyncCommand::Quiet(reply) => drop(reply.send(())),
            SyncCommand::AcceptNew(reply) => {
                let _ = reply.send(self.accept_new().await);
            }
        }
    }

    fn authorized(&mut self) {
        self.end_failures();
        self.schedule = Schedule::now();
    }

    /// Ends the note on rolled back documents once the control plane has taken all documents.
    fn note_pushed(&self, report: Option<&PushReport>) {
        if report.is_some_and(|report| report.failed.is_empty()) {
            let history = Arc::clone(&self.pass.history);
            drop(tokio::task::spawn_blocking(move || history.published()));
        }
    }

    async fn push_up(&self, snapshot: &Snapshot) -> Result<PushReport> {
        let followed = self.followed.as_ref();
        let followed = followed.and_then(|primary| Some((primary, primary.provider.publisher()?)));
        let (primary, publisher) =
            followed.ok_or_else(|| Error::invalid("the primary provider takes no configuration"))?;
        let push = push::push(publisher, snapshot, &self.registry);
        tokio::select! {
            biased;
            () = replaced(self.primary.clone(), primary) => {
                Err(Error::unavailable("another provider is primary now"))
            }
            pushed = push => pushed,
        }
    }

    /// Finishes the changes of the journal, and begins to ask for the list.
    ///
    /// # Errors
    /// The error for which the provider is not asked; the pass has failed then.
    async fn ask(&mut self, report: &mut SyncReport) -> Result<()> {
        let Some(primary) = self.followed.clone() else { return Ok(()) };
        if let Some(snapshot) = self.push.take() {
            match self.push_up(&snapshot).await {
                Ok(report) => {
                    tracing::info!(%report, "the local configuration was pushed");
                    self.note_pushed(Some(&report));
                }
                Err(error) => {
                    tracing::warn!(
                        error = error_chain(&error),
                        "the local configuration could not be pushed"
                    );
                    if error.kind() == ErrorKind::Unavailable {
                        self.push = Some(snapshot);
                    }
                }
            }
        }
        let begun = match self.mark_new().await {
            Ok(()) => self.begin(&primary, report).await,
            Err(error) => Err(error),
        };
        if let Err(error) = &begun {
            self.failed(&primary, error);
        }
        begun
    }

    async fn begin(&mut self, primary: &PrimaryProvider, report: &mut SyncReport) -> Result<()> {
        let journal = self.pass.open(primary).await?;
        // Verdicts are reported while the pass goes on.
        self.start_delivery();
        self.upkeep = Instant::now() + UPKEEP;
        let finished = self.pass.finish_unsettled(primary, &journal, report).await;
        summary::update(&journal, &primary.source, &self.status);
        finished?;
        if self.question.is_none() && is_primary(&self.primary, primary) {
            let settled = self.pass.settled(&journal, primary);
            self.question = Some(Question::ask(primary, self.cadence(), settled));
        }
        Ok(())
    }

    /// Syncs for an operator, who waits for the report. A question that is under way is answered first; a source that waits
    /// for changes is given [`PATIENCE`].
    async fn sync_now(&mut self) -> SyncReport {
        let Some(primary) = self.followed.clone() else {
            let error = Some("the configuration has no remote provider to sync with".to_owned());
            return SyncReport { error, ..SyncReport::default() };
        };
        let mut report = SyncReport::default();
        if let Err(error) = self.ask(&mut report).await {
            return SyncReport { error: Some(error_chain(&error)), ..report };
        }
        let waits = self.cadence() == Some(Cadence::Waits);
        let answer = while_primary(&self.primary, &primary, async {
            match waits {
                true => timeout(PATIENCE, question::answer(&mut self.question)).await.ok().transpose(),
                false => question::answer(&mut self.question).await.map(Some),
            }
        });
        match answer.await {
            Ok(Some(list)) => self.take_list(Ok(list), true, report).await,
            // Nothing is pending; the question stays.
            Ok(None) => self.work(&primary, None, true, report).await.0,
            Err(error) => self.take_list(Err(error), true, report).await,
        }
    }

    /// Takes the answer to the question: the changes of a list are fetched and applied.
    async fn take_list(
        &mut self,
        answer: Result<Pending>,
        requested: bool,
        report: SyncReport,
    ) -> SyncReport {
        let question = self.question.take();
        let Some(primary) = self.followed.clone().filter(|primary| is_primary(&self.primary, primary)) else {
            return report;
        };
        let took = question.as_ref().map(|question| question.since.elapsed()).unwrap_or_default();
        let asked = question.as_ref().map_or_else(Instant::now, |question| question.since);
        let settled = question.map(|mut question| std::mem::take(&mut question.settled)).unwrap_or_default();
        let is_news = matches!(&answer, Ok(list) if self.pass.is_news(&primary, list));
        let (report, result) = match answer {
            Ok(list) => self.work(&primary, Some((list, settled)), requested, report).await,
            Err(error) => (SyncReport { error: Some(error_chain(&error)), ..report }, Err(error)),
        };
        if !is_primary(&self.primary, &primary) {
            return report;
        }
        match result {
            Ok(()) => {
                if self.cadence() == Some(Cadence::Waits) {
                    let busy = self.haste.count(primary.provider.name().as_str(), took, is_news);
                    self.status.busy(busy);
                }
                self.show_contact(&primary.provider).await;
                self.succeeded(asked);
            }
            Err(error) => self.failed(&primary, &error),
        }
        report
    }

    /// Fetches and applies the changes of a list, or of the last one without a new one.
    async fn work(
        &mut self,
        primary: &PrimaryProvider,
        list: Option<(Pending, HashSet<String>)>,
        requested: bool,
        report: SyncReport,
    ) -> (SyncReport, Result<()>) {
        self.pass.run(primary, list, requested, report).await
    }

    /// Starts to deliver verdicts, if the journal is open.
    fn start_delivery(&mut self) {
        let running = self.delivery.as_ref().is_some_and(|task| !task.is_finished());
        if let (false, Some(journal)) = (running, self.pass.journal.open.clone()) {
            let (outbox, status) = (Arc::clone(&self.outbox), Arc::clone(&self.status));
            self.delivery = Some(tokio::spawn(async move { outbox.run(journal, status).await }));
        }
    }
}

impl Drop for SyncLoop {
    fn drop(&mut self) {
        if let Some(task) = &self.delivery {
            task.abort();
        }
    }
}

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}

/// Waits until the provider has a valid credential.
async fn another_credential(provider: Option<Arc<dyn Provider>>) {
    let Some(provider) = provider else { return std::future::pending().await };
    loop {
        tokio::time::sleep(CREDENTIAL_CHECK).await;
        let credential = credential_status_of(&*provider);
        if matches!(credential, Some(CredentialStatus::Valid { .. })) {
            return;
        }
    }
}

#[cfg(test)]
mod tests;
