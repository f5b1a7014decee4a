//! The host: a cheap handle on one running gateway.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use provider_api::{EnrollmentRequest, MachineCredential, Result};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use crate::apply::{self, Activation, Activator, Command, Pulse, Start, Verdict};
use crate::audit::{Actor, Audit, Event, Place};
use crate::diagnostics::rejection::Rejection;
use crate::history::{ChangeRef, History, Managed};
use crate::host::authorize::Authorized;
use crate::host::control::Control;
#[cfg(feature = "gateway")]
use crate::host::log_levels::Levels;
use crate::host::options::{HostOptions, absolute};
use crate::journal::Journal;
use crate::last_good::LastGood;
use crate::providers::resolutions::Resolutions;
use crate::recovery::{self, Recovered};
use crate::snapshot::Snapshot;
use crate::snapshot::feed::Snapshots;
use crate::snapshot::refresh::resolve_again;
use crate::status::{Pause, Status, StatusBoard};
use crate::sync::{PauseSwitch, PushReport, SharedJournal, SyncLoop, SyncParts, SyncReport};

/// A running host: it reads the configuration, syncs with its provider, and applies edits and changes through the
/// [`Activation`] of the application that serves requests.
///
/// A cheap handle: clones refer to the same host. Dropping the last one aborts the tasks that watch, sync and apply;
/// [`shut_down`](Self::shut_down) stops them in order. The host opens no listener.
#[derive(Clone, Debug)]
pub struct Host(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    control: Control,
    last_good: Arc<LastGood>,
    tasks: Mutex<Option<Tasks>>,
}

/// The tasks of a host. Dropping them aborts them.
#[derive(Debug)]
struct Tasks {
    applying: JoinHandle<()>,
    following: JoinHandle<()>,
    saving: JoinHandle<()>,
    resolving: JoinHandle<()>,
    remembering: JoinHandle<()>,
    auditing: JoinHandle<()>,
}

/// The time limit of the last save, when the host stops.
const SAVING: Duration = Duration::from_secs(2);

impl Host {
    /// Starts a host: reads the configuration, activates it through the application, and then syncs with its provider. Waits
    /// up to 5 s for the lock of a host on the same configuration that was just stopped or dropped.
    ///
    /// Requires a tokio runtime with time enabled, multi-threaded or current-thread. Reads files on its blocking threads.
    ///
    /// # Errors
    /// Every problem of the configuration, if it cannot be served and no last good configuration replaces it; or a message
    /// that another gateway runs on the configuration. No task is left running.
    pub async fn start(options: HostOptions, activation: impl Activation) -> Result<Self, Rejection> {
        let status = StatusBoard::new();
        let config_path = absolute(&options.config);
        let Recovered { layers, journal, ring, saved, mut history, .. } =
            recovery::recover(&config_path, &options.state_dir).await?;
        let former = saved.as_ref().map(|saved| saved.metadata.references.clone()).unwrap_or_default();
        let resolutions = Resolutions::new(Arc::clone(&options.clock), former);
        let surroundings = options.surroundings(activation.capabilities(), Arc::clone(&resolutions));
        let origins = Arc::clone(&surroundings.origins);
        let last_good = LastGood::new(ring, resolutions, Arc::clone(&options.clock), Arc::clone(&status));
        let pulse = Pulse::new();
        let place = Place::new(&options.state_dir, &config_path, options.audit_key_file.clone());
        let audit = Audit::new(place, Arc::clone(&status));
        let rolled_back = history.unrecorded.take();
        let history =
            History::new(history, layers.clone(), Arc::clone(&origins), Arc::clone(&status), audit.clone());
        history.seed(journal.iter().flat_map(|journal| managed(journal)));
        let start = Start {
            layers,
            surroundings: surroundings.clone(),
            status: Arc::clone(&status),
            last_good: Arc::clone(&last_good),
            history: Arc::clone(&history),
            rolled_back,
            activator: Activator::new(Arc::new(activation), options.activation_deadline, pulse.clone()),
            saved,
        };
        let applier = match start.start().await {
            Ok(applier) => applier,
            Err(rejection) => {
                audit.record(not_started(&rejection));
                let _ = timeout(SAVING, tokio::task::spawn_blocking(move || audit.write_blocking())).await;
                return Err(rejection);
            }
        };
        audit.record(started(&applier.published.snapshot()));
        let (commands, inbox) = mpsc::channel(16);
        let (sync, sync_inbox) = mpsc::channel(16);
        let (snapshots, snapshot) = (applier.published.follow(), applier.published.snapshot());
        let shared_journal = SharedJournal::default();
        let journal_directory = recovery::journal_directory(&options.state_dir, &snapshot.config.proxy.id);
        let pause = open_pause(journal_directory.clone(), &status).await;
        let parts = SyncParts {
            inbox: sync_inbox,
            apply: commands.clone(),
            primary: applier.published.follow_primary(),
            status: Arc::clone(&status),
            pause: Arc::clone(&pause),
            journal_directory,
            journal,
            shared_journal: Arc::clone(&shared_journal),
            registry: options.registry.clone(),
            push: options.push_on_start.then_some(snapshot),
            history: Arc::clone(&history),
            random: fastrand::Rng::new(),
            clock: Arc::clone(&options.clock),
        };
        let tasks = Tasks {
            applying: tokio::spawn(apply::run(applier, inbox)),
            following: tokio::spawn(SyncLoop::new(parts).run()),
            saving: tokio::spawn(Arc::clone(&last_good).run()),
            resolving: tokio::spawn(resolve_again(snapshots.restarted())),
            remembering: tokio::spawn(Arc::clone(&history).run()),
            auditing: tokio::spawn(audit.clone().run()),
        };
        let control = Control {
            snapshots,
            status,
            commands,
            sync,
            foreseeing: Arc::new(Semaphore::new(1)),
            origins,
            journal: shared_journal,
            pulse,
            pause,
            log_levels: options.log_levels.clone(),
            stopping: Arc::new(AtomicBool::new(false)),
            history,
            audit,
            surroundings,
            started: Instant::now(),
        };
        Ok(Self(Arc::new(Inner { control, last_good, tasks: Mutex::new(Some(tasks)) })))
    }

    /// Returns the active configuration. Call it once per request: only results of the same snapshot are consistent.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.0.control.snapshot()
    }

    /// Returns a feed of the active configuration and of each later one, once it is live.
    pub fn snapshots(&self) -> Snapshots {
        self.0.control.snapshots.restarted()
    }

    /// Returns the status: in sync or not, with the reason.
    pub fn status(&self) -> Arc<Status> {
        self.0.control.status.read()
    }

    /// Reads the files and applies them now. Returns `None` when the host is stopping. Cancel safe: the reload continues.
    pub async fn reload(&self) -> Option<Verdict> {
        self.0.control.reload(&Actor::Application).await
    }

    /// Syncs with the primary provider now, independent of its interval. Returns `None` when the host is stopping.
    /// Cancel safe: the sync continues.
    pub async fn sync(&self) -> Option<SyncReport> {
        self.0.control.sync(&Actor::Application).await
    }

    /// Pauses the sync with the primary provider, or replaces the present pause: changes are listed and none is taken, until
    /// [`resume`](Self::resume) or the end of the pause, also over restarts. Edits of the files apply. Returns true when no
    /// change is being taken any more, false when one is still being applied after 20 s.
    ///
    /// # Errors
    /// [`Unavailable`](provider_api::ErrorKind::Unavailable) when the pause cannot be recorded; the sync is not paused then.
    pub async fn pause(&self, pause: Pause) -> Result<bool> {
        self.0.control.pause(pause, &Actor::Application).await
    }

    /// Ends the pause of the sync, for the operator `by`. Returns the pause, `None` if there was none.
    ///
    /// # Errors
    /// [`Unavailable`](provider_api::ErrorKind::Unavailable) when that cannot be recorded; the sync stays paused then.
    pub async fn resume(&self, by: &str) -> Result<Option<Pause>> {
        self.0.control.resume(by, &Actor::Application).await
    }

    /// Accepts that it is not known which changes were acknowledged before the state of this gateway was created: the
    /// operator has compared it with the control plane.
    ///
    /// # Errors
    /// [`Invalid`](provider_api::ErrorKind::Invalid) when the primary provider is not a remote one;
    /// [`Unavailable`](provider_api::ErrorKind::Unavailable) when it cannot be recorded, or the host is stopping.
    pub async fn accept_fresh(&self) -> Result<()> {
        self.0.control.accept_fresh(&Actor::Application).await
    }

    /// Pushes the active configuration to the primary provider, without its secrets. Cancel safe: the push
    /// continues.
    ///
    /// # Errors
    /// The error of the first document that was not accepted; [`Invalid`](provider_api::ErrorKind::Invalid) when the primary
    /// provider accepts no configuration.
    pub async fn push(&self) -> Result<PushReport> {
        self.0.control.push(&Actor::Application).await
    }

    /// Exchanges the token of a user for a machine credential of this gateway, stores it, and syncs.
    ///
    /// # Errors
    /// The error of the provider; [`Denied`](provider_api::ErrorKind::Denied) when the primary provider is `local` or
    /// needs no authorization.
    pub async fn authorize(&self, request: &EnrollmentRequest) -> Result<Authorized> {
        self.0.control.authorize(request, &Actor::Application).await
    }

    /// Stores a machine credential that was issued elsewhere, and syncs.
    ///
    /// # Errors
    /// As [`authorize`](Self::authorize).
    pub async fn adopt(&self, credential: MachineCredential) -> Result<Authorized> {
        self.0.control.adopt(credential, &Actor::Application).await
    }

    /// Tells load balancers that this gateway is about to stop: `health/ready` answers 503 from now on. Everything else
    /// goes on, until [`shut_down`](Self::shut_down).
    pub fn announce_stop(&self) {
        self.0.control.stopping.store(true, Ordering::Relaxed);
    }

    /// Waits until the task that applies configurations has shown that it works: it has answered, or has finished a step of
    /// what it does. For watchdogs, which should end a process only when this takes longer than any step may: the
    /// [deadline of a step](HostOptions::activation_deadline) and the reading of all files. Waits forever once the host has
    /// stopped. Cancel safe.
    pub async fn heartbeat(&self) {
        self.0.control.heartbeat().await;
    }

    /// Stops the sync and the apply task, and saves the state for a restart. The application keeps serving until it stops
    /// itself. Another gateway can then use the files. Takes at most `limit`, and 2 s more for a
    /// slow disk. A second call returns at once.
    pub async fn shut_down(&self, limit: Duration) {
        let tasks = self.0.tasks.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut tasks) = tasks else { return };
        tasks.following.abort();
        tasks.saving.abort();
        tasks.resolving.abort();
        let last_good = Arc::clone(&self.0.last_good);
        let saved = tokio::task::spawn_blocking(move || last_good.save());
        let (history, audit) = (Arc::clone(&self.0.control.history), self.0.control.audit.clone());
        let (reply, stopped) = oneshot::channel();
        // The task that should answer may hang on a file system that does not.
        let stopping = async {
            if self.0.control.commands.send(Command::Stop(reply)).await.is_ok() {
                let _ = stopped.await;
            }
        };
        let _ = timeout(limit, stopping).await;
        tasks.applying.abort();
        tasks.remembering.abort();
        tasks.auditing.abort();
        let recorded = tokio::task::spawn_blocking(move || {
            history.record();
            audit.record(Event::new("stop").by(&Actor::Gateway));
            audit.write_blocking();
        });
        let ended = async {
            let _ = saved.await;
            let _ = recorded.await;
            let _ = (&mut tasks.following).await;
            let _ = (&mut tasks.saving).await;
            let _ = (&mut tasks.resolving).await;
            let _ = (&mut tasks.applying).await;
        };
        let _ = timeout(SAVING, ended).await;
    }

    /// Returns a receiver that sees the changes of the status from now on.
    #[cfg(feature = "gateway")]
    pub(crate) fn status_changes(&self) -> tokio::sync::watch::Receiver<()> {
        self.0.control.status.changes()
    }

    /// Reads the files and applies them now, because of a signal.
    #[cfg(feature = "gateway")]
    pub(crate) async fn reload_at(&self, signal: &str) -> Option<Verdict> {
        self.0.control.reload(&Actor::Signal { name: signal.to_owned() }).await
    }

    /// Records that a signal to the process has changed the log levels.
    #[cfg(feature = "gateway")]
    pub(crate) async fn levels_changed_at(&self, signal: &str, levels: &Levels) {
        self.0.control.levels_changed(levels, &Actor::Signal { name: signal.to_owned() }).await;
    }

    #[cfg(feature = "management")]
    pub(crate) fn control(&self) -> &Control {
        &self.0.control
    }
}

/// Opens the switch that pauses the sync. A thread that ends without it leaves the sync paused, as a damaged file does.
async fn open_pause(journal_directory: PathBuf, status: &Arc<StatusBoard>) -> Arc<PauseSwitch> {
    let (own, directory) = (Arc::clone(status), journal_directory.clone());
    let opened = tokio::task::spawn_blocking(move || PauseSwitch::open(&directory, own)).await;
    Arc::new(opened.unwrap_or_else(|_| PauseSwitch::open(&journal_directory, Arc::clone(status))))
}

impl Drop for Tasks {
    fn drop(&mut self) {
        self.applying.abort();
        self.following.abort();
        self.saving.abort();
        self.resolving.abort();
        self.remembering.abort();
        self.auditing.abort();
    }
}

/// Returns the record of the start.
fn started(snapshot: &Snapshot) -> Event {
    Event::new("start")
        .by(&Actor::Gateway)
        .text("version", env!("CARGO_PKG_VERSION"))
        .number("generation", snapshot.generation)
        .text("digest", &format!("{:#}", snapshot.documents.digest()))
        .number("process", std::process::id().into())
}

/// Returns the record of a start that was refused.
fn not_started(rejection: &Rejection) -> Event {
    Event::new("start")
        .by(&Actor::Gateway)
        .verdict("rejected")
        .text("version", env!("CARGO_PKG_VERSION"))
        .text("class", &rejection.class.to_string())
        .text("problem", &rejection.first())
}

/// Returns what the live changes in the journal have written. It is not known with which generation.
fn managed(journal: &Journal) -> Vec<(String, Managed)> {
    let entries = journal.live_documents().into_iter();
    let managed = entries.map(|document| {
        let change = ChangeRef { id: document.id, kind: document.kind };
        let managed = Managed { provider: document.provider, change, digest: document.digest, generation: 0 };
        (document.file, managed)
    });
    managed.collect()
}
