//! The sync loop: polls the primary provider, applies changes, reports verdicts.

use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use provider_api::{Cadence, Clock, CredentialStatus, Error, ErrorKind, Provider, Registry, Result};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use crate::apply::Command;
use crate::journal::Journal;
use crate::providers::isolate::{cadence_of, credential_status_of, error_chain};
use crate::snapshot::Snapshot;
use crate::status::StatusBoard;
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
    /// The configuration to push up before the first round.
    pub(crate) push: Option<Arc<Snapshot>>,
    pub(crate) random: fastrand::Rng,
    /// The wall clock.
    pub(crate) clock: Arc<dyn Clock>,
}

/// The shortest wait, before jitter, of a gateway without authorization.
const UNAUTHORIZED: Duration = Duration::from_secs(300);

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
    schedule: Schedule,
    followed: Option<Arc<dyn Provider>>,
    registry: Registry,
    push: Option<Arc<Snapshot>>,
    delivery: Option<tokio::task::JoinHandle<()>>,
    /// Set when the last pass failed because this gateway is not authorized.
    unauthorized: bool,
}

impl SyncLoop {
    pub(crate) fn new(parts: SyncParts) -> Self {
        let outbox = Outbox::new();
        let pass = SyncPass {
            apply: parts.apply,
            primary: parts.primary.clone(),
            journal: LazyJournal { directory: parts.journal_directory, open: parts.journal },
            outbox: Arc::clone(&outbox),
            status: Arc::clone(&parts.status),
            listed: Vec::new(),
            repeated: std::collections::HashMap::new(),
            clock: parts.clock,
        };
        Self {
            inbox: parts.inbox,
            primary: parts.primary,
            status: parts.status,
            pass,
            outbox,
            backoff: Backoff::new(parts.random),
            schedule: Schedule::now(),
            followed: None,
            registry: parts.registry,
            push: parts.push,
            delivery: None,
            unauthorized: false,
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

    /// Takes over the current primary provider.
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
            self.outbox.wake();
            match &primary {
                Some(provider) => tracing::info!(provider = %provider.name(), "following"),
                None => tracing::info!("no remote provider is followed"),
            }
        }
        self.followed = primary;
        self.status.following(self.followed.as_deref());
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
        }
    }

    fn authorized(&mut self) {
        self.backoff.succeeded();
        self.unauthorized = false;
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
            let error = Some("no remote provider is followed".to_owned());
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
        let (report, result) = self.pass.run(&provider, requested).await;
        self.start_delivery();
        match result {
            Ok(()) => self.succeeded(),
            Err(error) => self.failed(&provider, &error),
        }
        report
    }

    fn succeeded(&mut self) {
        if self.backoff.failures() > 0 {
            tracing::info!("the provider answers again");
        }
        self.backoff.succeeded();
        self.unauthorized = false;
        self.schedule = Schedule::steady(self.backoff.spread());
        self.status.record_pass(None);
        // Undelivered verdicts may go through now.
        self.outbox.answered();
    }

    fn failed(&mut self, provider: &Arc<dyn Provider>, error: &Error) {
        let wait = self.backoff.failed(error.retry_after());
        let credential = credential_status_of(&**provider);
        self.unauthorized =
            credential.is_some_and(|credential| !matches!(credential, CredentialStatus::Valid { .. }));
        let wait =
            if self.unauthorized { wait.max(UNAUTHORIZED.mul_f64(self.backoff.spread())) } else { wait };
        self.schedule = Schedule::after(wait);
        let message = error_chain(error);
        let failures = self.backoff.failures();
        tracing::warn!(error = message, failures, ?wait, unauthorized = self.unauthorized, "sync failed");
        self.status.record_pass(Some((message, failures)));
    }

    /// Starts to deliver verdicts when there is a journal.
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
