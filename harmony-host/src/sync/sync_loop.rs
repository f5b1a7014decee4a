//! The sync loop: polls the primary provider, applies changes, reports verdicts.

use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use provider_api::{
    Cadence, Clock, CredentialDetails, CredentialStatus, DisplayDuration, Error, ErrorKind, Provider,
    Registry, Result,
};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use crate::apply::Command;
use crate::journal::Journal;
use crate::providers::isolate::{cadence_of, credential_details_of, credential_status_of, error_chain};
use crate::snapshot::Snapshot;
use crate::status::StatusBoard;
use crate::sync::expiry::ExpiryWarnings;
use crate::sync::first_contact::{FirstContact, FirstContacts};
use crate::sync::listing::Listing;
use crate::sync::outbox::Outbox;
use crate::sync::pass::SyncPass;
use crate::sync::schedule::Schedule;
use crate::sync::{Backoff, LazyJournal, PushReport, SyncCommand, SyncReport, push, summary};

/// The parts of a sync loop.
pub(crate) struct SyncParts {
    pub(crate) inbox: mpsc::Receiver<SyncCommand>,
    pub(crate) apply: mpsc::Sender<Command>,
    pub(crate) primary: watch::Receiver<Option<Arc<dyn Provider>>>,
    pub(crate) status: Arc<StatusBoard>,
    pub(crate) journal_directory: PathBuf,
    /// The journal, when there was one at the start.
    pub(crate) journal: Option<Arc<Journal>>,
    /// The provider types that are compiled in.
    pub(crate) registry: Registry,
    /// The configuration to push before the first pass.
    pub(crate) push: Option<Arc<Snapshot>>,
    pub(crate) random: fastrand::Rng,
    /// The wall clock.
    pub(crate) clock: Arc<dyn Clock>,
}

/// The interval of the checks for a new credential, which another process may store.
const CREDENTIAL_CHECK: Duration = Duration::from_secs(2);

/// The loop that polls the provider for changes. No error ends it.
pub(crate) struct SyncLoop {
    inbox: mpsc::Receiver<SyncCommand>,
    primary: watch::Receiver<Option<Arc<dyn Provider>>>,
    status: Arc<StatusBoard>,
    pass: SyncPass,
    outbox: Arc<Outbox>,
    backoff: Backoff,
    /// The backoff after refusals of the credential, which are no sign of an unavailable control plane.
    refusals: Backoff,
    /// The number of failures in a row, of all kinds.
    failures: u32,
    schedule: Schedule,
    followed: Option<Arc<dyn Provider>>,
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
            journal: LazyJournal { directory: parts.journal_directory, open: parts.journal },
            outbox: Arc::clone(&outbox),
            status: Arc::clone(&parts.status),
            listed: Vec::new(),
            repeated: std::collections::HashMap::new(),
            listing: Listing::default(),
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
            registry: parts.registry,
            push: parts.push,
            delivery: None,
            unauthorized: false,
            contacts,
            is_new,
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
            let due = cadence.and_then(|cadence| self.schedule.due(cadence));
            self.status.due(due);
            let expiry = self.look_at_expiry();
            let watched = self.followed.clone().filter(|_| self.unauthorized);
            let authorized = pin!(another_credential(watched));
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
                () = authorized => {
                    tracing::info!("the credential changed; syncing again");
                    self.authorized();
                }
                () = until(due) => {
                    self.sync_once(false).await;
                }
                // The next turn of the loop looks again.
                () = tokio::time::sleep(expiry) => {}
            }
        }
    }

    /// Resumes the work of an earlier process: undelivered verdicts, and, for a provider on demand, fetched changes without
    /// a verdict.
    async fn resume(&mut self) {
        let (Some(provider), Some(journal)) = (self.followed.clone(), self.pass.journal.open.clone()) else {
            return;
        };
        summary::update(&journal, &provider, &self.status);
        self.start_delivery();
        if self.cadence() == Some(Cadence::OnDemand)
            && let Err(error) = self.pass.finish(&provider).await
        {
            tracing::warn!(
                error = error_chain(&error),
                "the changes of an earlier process cannot be finished now"
            );
        }
        self.outbox.wake();
    }

    /// Switches to the current primary provider, if it is another one.
    fn watch_primary(&mut self) {
        let primary = self.primary.borrow_and_update().clone();
        let primary = primary.filter(|provider| provider.source().is_some());
        let same = match (&self.followed, &primary) {
            (Some(before), Some(now)) => before.name() == now.name(),
            (None, None) => true,
            _ => false,
        };
        if let Some(provider) = &primary {
            self.outbox.add_provider(provider);
        }
        if !same {
            self.authorized();
            self.pass.listed.clear();
            self.pass.listing.clear();
            self.shown_contact = None;
            self.outbox.wake();
            match &primary {
                Some(provider) => tracing::info!(provider = %provider.name(), "syncing with the provider"),
                None => tracing::info!("the configuration has no remote provider; the gateway does not sync"),
            }
        }
        self.followed = primary;
        self.status.following(self.followed.as_deref());
    }

    /// Logs what is due about the end of the credential. Returns the wait until the next look.
    fn look_at_expiry(&mut self) -> Duration {
        let Some(provider) = &self.followed else { return self.expiry.look("", None, self.clock.now()) };
        let end = match credential_status_of(&**provider) {
            Some(CredentialStatus::Valid { expires_at }) => expires_at,
            _ => None,
        };
        self.expiry.look(provider.name().as_str(), end, self.clock.now())
    }

    fn cadence(&self) -> Option<Cadence> {
        cadence_of(&**self.followed.as_ref()?)
    }

    async fn handle(&mut self, command: SyncCommand) {
        match command {
            SyncCommand::Now(reply) => {
                let report = self.sync_once(true).await;
                let _ = reply.send(report);
            }
            SyncCommand::Push(snapshot, reply) => {
                let pushed = self.push_up(&snapshot).await;
                let took_any = pushed.is_ok();
                let _ = reply.send(pushed);
                // The control plane answers a push with changes that have its ids.
                if took_any {
                    self.sync_once(true).await;
                }
            }
            SyncCommand::Authorized => self.authorized(),
            SyncCommand::AcceptNew(reply) => {
                let _ = reply.send(self.accept_new().await);
            }
        }
    }

    fn authorized(&mut self) {
        self.end_failures();
        self.schedule = Schedule::now();
    }

    async fn push_up(&self, snapshot: &Snapshot) -> Result<PushReport> {
        let followed = self.followed.as_ref().and_then(|provider| provider.publisher());
        let publisher =
            followed.ok_or_else(|| Error::invalid("the primary provider takes no configuration"))?;
        push::push(publisher, snapshot, &self.registry).await
    }

    async fn sync_once(&mut self, requested: bool) -> SyncReport {
        let Some(provider) = self.followed.clone() else {
            let error = Some("the configuration has no remote provider to sync with".to_owned());
            return SyncReport { error, ..SyncReport::default() };
        };
        if let Some(snapshot) = self.push.take() {
            match self.push_up(&snapshot).await {
                Ok(report) => tracing::info!(%report, "the local configuration was pushed"),
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
        if let Err(error) = self.mark_new().await {
            self.failed(&provider, &error);
            return SyncReport { error: Some(error_chain(&error)), ..SyncReport::default() };
        }
        let (report, result) = self.pass.run(&provider, requested).await;
        self.start_delivery();
        match result {
            Ok(()) => {
                self.show_contact(&provider).await;
                self.succeeded();
            }
            Err(error) => self.failed(&provider, &error),
        }
        report
    }

    /// Notes that this state is new, before the journal is created. Without that note a later start would take the journal
    /// for one of an earlier version, and what it does not know for known: so nothing is synced before it is written.
    ///
    /// # Errors
    /// The state directory cannot be written.
    async fn mark_new(&mut self) -> Result<()> {
        if self.is_new {
            let contacts = self.contacts.clone();
            blocking(move || contacts.mark_new()).await?;
            self.is_new = false;
        }
        Ok(())
    }

    /// Shows since when this state is used, and warns when it is newer than its token.
    async fn show_contact(&mut self, provider: &Arc<dyn Provider>) {
        let details = credential_details_of(&**provider).unwrap_or_default();
        let key = contact_key(provider, &details);
        if self.shown_contact.as_ref() == Some(&key) {
            return;
        }
        let (contacts, named, now) = (self.contacts.clone(), key.clone(), self.clock.now());
        match blocking(move || contacts.heard(&named, &details, now)).await {
            Ok(contact) => self.show(provider, key, contact),
            Err(error) => {
                tracing::warn!(error = error_chain(&error), "the first contact cannot be recorded");
            }
        }
    }

    fn show(&mut self, provider: &Arc<dyn Provider>, key: String, contact: FirstContact) {
        let unknown = contact.unknown.then(|| {
            format!(
                "the state of this gateway is newer than its token, so it cannot know which changes were acknowledged \
                 at `{}` before; compare with the control plane, then run `harmony-host sync --accept-fresh`",
                provider.name()
            )
        });
        match &unknown {
            Some(reason) => tracing::warn!(reason, "not known to be in sync"),
            None => tracing::info!(
                provider = %provider.name(),
                "the control plane answers; a change that another gateway with the same id or token takes is not seen here"
            ),
        }
        let at = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(contact.at));
        self.status.first_contact(at.unwrap_or(SystemTime::UNIX_EPOCH), unknown);
        self.shown_contact = Some(key);
    }

    async fn accept_new(&mut self) -> Result<()> {
        let provider = self.followed.clone();
        let provider = provider.ok_or_else(|| Error::invalid("no remote provider is followed"))?;
        let details = credential_details_of(&*provider).unwrap_or_default();
        let key = contact_key(&provider, &details);
        let (contacts, named, now) = (self.contacts.clone(), key.clone(), self.clock.now());
        let contact = blocking(move || contacts.accept(&named, now)).await?;
        tracing::info!(provider = %provider.name(), "the operator accepts what is not known");
        self.show(&provider, key, contact);
        Ok(())
    }

    fn succeeded(&mut self) {
        if self.failures > 0 {
            tracing::info!("the provider answers again");
        }
        self.end_failures();
        self.schedule = Schedule::steady(self.backoff.spread());
        self.status.record_pass(None);
        // The provider responds again, so undelivered verdicts are reported now.
        self.outbox.answered();
    }

    /// Forgets the failures.
    fn end_failures(&mut self) {
        self.backoff.succeeded();
        self.refusals.succeeded();
        (self.failures, self.unauthorized) = (0, false);
    }

    fn failed(&mut self, provider: &Arc<dyn Provider>, error: &Error) {
        let credential = credential_status_of(&**provider);
        self.unauthorized =
            credential.is_some_and(|credential| !matches!(credential, CredentialStatus::Valid { .. }));
        self.failures = self.failures.saturating_add(1);
        // A refusal is often short: a deployment, a clock, a token in renewal. It is asked about after seconds first, also
        // after an outage, then ever more slowly, and never as soon as after a lost connection. Neither count resets
        // the other: a control plane that fails in turns is not asked every second.
        let wait = match self.unauthorized {
            true => {
                let wait = self.refusals.failed(error.retry_after());
                wait.max(Backoff::bound(self.refusals.failures()) / 2)
            }
            false => self.backoff.failed(error.retry_after()),
        };
        self.schedule = Schedule::after(wait);
        let message = error_chain(error);
        let failures = self.failures;
        let (name, wait) = (provider.name(), DisplayDuration(wait));
        let times =
            if failures == 1 { "failed".to_owned() } else { format!("failed {failures} times in a row") };
        let unless = if self.unauthorized { ", or when the gateway is authorized" } else { "" };
        tracing::warn!(error = message, "the sync with `{name}` {times}; it is retried in {wait}{unless}");
        self.status.record_pass(Some((message, failures)));
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

/// Runs blocking I/O on the state of this gateway.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> Result<T> {
    let failed = |cause: String| {
        Error::unavailable(format!("the state of this gateway cannot be read or written: {cause}"))
    };
    let done = tokio::task::spawn_blocking(work).await.map_err(|e| failed(e.to_string()))?;
    done.map_err(|e| failed(e.to_string()))
}

/// The key of a first contact: one provider, and one gateway there.
fn contact_key(provider: &Arc<dyn Provider>, details: &CredentialDetails) -> String {
    format!("{}/{}", provider.name(), details.gateway_id.as_deref().unwrap_or_default())
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
