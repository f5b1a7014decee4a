//! The control of a running host: queries and commands.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use provider_api::{ChangeId, Error, Result};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::{Instant, timeout};

use crate::apply::{Asked, Command, ConfigEdit, Foreseen, Pulse, RollbackReport, RollbackRequest, Verdict};
use crate::audit::{Actor, Audit, Event};
use crate::documents::origins::Origins;
use crate::history::History;
#[cfg(feature = "management")]
use crate::host::log_levels::Levels;
use crate::host::log_levels::LogLevels;
use crate::host::readiness::Readiness;
use crate::providers::Surroundings;
use crate::snapshot::Snapshot;
use crate::snapshot::feed::Snapshots;
use crate::status::{Pause, StatusBoard};
use crate::sync::{PauseSwitch, PushReport, SharedJournal, SyncCommand, SyncReport};

/// The time that an operator who pauses the sync waits for the end of the present pass.
const QUIET: Duration = Duration::from_secs(20);

/// A handle for queries and commands to a host. It does not keep the host running.
#[derive(Clone, Debug)]
pub(crate) struct Control {
    pub(super) snapshots: Snapshots,
    pub(crate) status: Arc<StatusBoard>,
    pub(super) commands: mpsc::Sender<Command>,
    pub(super) sync: mpsc::Sender<SyncCommand>,
    /// One prediction at a time: each builds a configuration.
    pub(super) foreseeing: Arc<Semaphore>,
    /// The record of what came from a control plane.
    pub(crate) origins: Arc<Origins>,
    /// The journal, once it is open.
    pub(crate) journal: SharedJournal,
    pub(super) pulse: Pulse,
    pub(super) pause: Arc<PauseSwitch>,
    /// The log levels of the process, if the application lets them be changed.
    pub(crate) log_levels: Option<Arc<dyn LogLevels>>,
    /// Set when load balancers should send no more requests.
    pub(super) stopping: Arc<AtomicBool>,
    pub(crate) history: Arc<History>,
    /// The audit log. Record there whatever is done to the gateway at somebody's request.
    pub(crate) audit: Audit,
    pub(super) surroundings: Surroundings,
    /// The moment of the start.
    pub(crate) started: Instant,
}

impl Control {
    /// Returns the active snapshot.
    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshots.latest()
    }

    /// Returns the readiness for requests.
    pub(crate) fn readiness(&self) -> Readiness {
        if self.stopping.load(Ordering::Relaxed) {
            return Readiness::Stopping;
        }
        match self.status.read().effective.is_some() {
            true => Readiness::Ready,
            false => Readiness::NoConfiguration,
        }
    }

    /// Pauses the sync, or replaces the present pause. Returns true when no change is being taken any more, false when one is
    /// still being applied after [`QUIET`].
    ///
    /// # Errors
    /// Unavailable when the pause cannot be recorded.
    pub(crate) async fn pause(&self, pause: Pause, actor: &Actor) -> Result<bool> {
        let event = Event::new("pause").by(actor).text("operator", &pause.by).text("reason", &pause.reason);
        let set = self.pause.set(pause.clone()).await;
        self.recorded_result(event, &set).await;
        set?;
        tracing::warn!("the sync {}; `harmony-host resume` ends the pause", pause.in_words());
        let (reply, quiet) = oneshot::channel();
        let ended = async { self.sync.send(SyncCommand::Quiet(reply)).await.is_ok() && quiet.await.is_ok() };
        Ok(timeout(QUIET, ended).await.unwrap_or(false))
    }

    /// Ends the pause of the sync. Returns the pause, `None` if there was none.
    ///
    /// # Errors
    /// Unavailable when that cannot be recorded.
    pub(crate) async fn resume(&self, by: &str, actor: &Actor) -> Result<Option<Pause>> {
        let Some(pause) = self.pause.current() else { return Ok(None) };
        let cleared = self.pause.clear().await;
        self.recorded_result(Event::new("resume").by(actor).text("operator", by), &cleared).await;
        cleared?;
        tracing::info!(by, "the sync goes on");
        Ok(Some(pause))
    }

    /// Returns the present pause of the sync.
    pub(crate) fn paused(&self) -> Option<Pause> {
        self.pause.current()
    }

    /// Waits until the apply task has shown that it works. It is asked to, and every step of its present work counts too.
    pub(super) async fn heartbeat(&self) {
        let mut beats = self.pulse.listen();
        // A full queue has commands, each of which is a beat.
        let _ = self.commands.try_send(Command::Ping);
        let _ = beats.changed().await;
    }

    /// Reads the files and applies them now. Returns `None` when the host is stopping.
    pub(crate) async fn reload(&self, by: &Actor) -> Option<Verdict> {
        let (reply, verdict) = oneshot::channel();
        self.commands.send(Command::Reload(by.clone(), reply)).await.ok()?;
        let verdict = verdict.await.ok()?;
        let counters = &self.status.counters;
        match verdict {
            Verdict::Applied { .. } => counters.reloads_applied.inc(),
            Verdict::Unchanged { .. } => counters.reloads_unchanged.inc(),
            Verdict::Rejected(_) => counters.reloads_rejected.inc(),
        }
        let event = Event::new("reload").by(by);
        self.recorded(match &verdict {
            Verdict::Applied { generation } => event.verdict("applied").number("generation", *generation),
            Verdict::Unchanged { generation } => event.verdict("unchanged").number("generation", *generation),
            Verdict::Rejected(rejection) => {
                event.verdict("rejected").text("class", &rejection.class.to_string())
            }
        })
        .await;
        Some(verdict)
    }

    /// Restores an earlier generation. Returns `None` when the host is stopping.
    pub(crate) async fn roll_back(&self, request: RollbackRequest) -> Option<RollbackReport> {
        let (reply, report) = oneshot::channel();
        let (by, is_tried) = (request.by.clone(), !request.dry_run);
        self.commands.send(Command::RollBack(request, reply)).await.ok()?;
        let report = report.await.ok()?;
        if is_tried {
            let event = Event::new("rollback")
                .by(&by)
                .number("to", report.to)
                .number("generation", report.generation);
            let event = event.verdict(report.verdict.as_str()).texts("reasons", &report.reasons);
            let event = event.texts("lost", &report.lost).texts("control_plane", &report.control_plane);
            self.recorded(event).await;
        }
        Some(report)
    }

    /// Records that the log levels were changed, and waits until that is on the disk, at most 2 s.
    #[cfg(feature = "management")]
    pub(crate) async fn levels_changed(&self, levels: &Levels, by: &Actor) {
        let event = Event::new("log").by(by).verdict("done").text("levels", &levels.directives.join(","));
        self.recorded(match &levels.until {
            Some(until) => event.text("until", &until.to_string()),
            None => event,
        })
        .await;
    }

    /// Records an event, and waits until it is on the disk, at most 2 s.
    pub(crate) async fn recorded(&self, event: Event) {
        self.audit.record(event);
        self.audit.settled().await;
    }

    /// Records the result of a request, and waits until it is on the disk, at most 2 s.
    pub(super) fn recorded_result<'a, T>(
        &'a self,
        event: Event,
        result: &Result<T>,
    ) -> impl Future<Output = ()> + use<'a, T> {
        self.recorded(match result {
            Ok(_) => event.verdict("done"),
            Err(error) => event.verdict("failed").text("problem", &error.to_string()),
        })
    }

    /// Edits config.toml and applies it. Returns whether it was written; `None` when the host is stopping.
    ///
    /// # Errors
    /// The error of the operating system or of `edit`; the file is then unchanged.
    pub(super) async fn edit_config(&self, edit: ConfigEdit, by: &Actor) -> std::io::Result<Option<bool>> {
        let (reply, written) = oneshot::channel();
        if self.commands.send(Command::Edit(edit, by.clone(), reply)).await.is_err() {
            return Ok(None);
        }
        written.await.ok().transpose()
    }

    /// Predicts the result of applying the files now, or `given` files in their place. Returns `None` when the host is
    /// stopping.
    pub(crate) async fn foresee(&self, given: Option<BTreeMap<String, String>>) -> Option<Foreseen> {
        let _one = self.foreseeing.acquire().await.ok()?;
        let (reply, foreseen) = oneshot::channel();
        let asked = given.map_or(Asked::Files, Asked::Given);
        self.commands.send(Command::Foresee(asked, reply)).await.ok()?;
        foreseen.await.ok()
    }

    /// Predicts the result of applying one change of the primary provider.
    ///
    /// # Errors
    /// The error of the provider; Invalid without a remote one; Unavailable also when the host is stopping.
    pub(crate) async fn foresee_change(&self, id: ChangeId) -> Result<Foreseen> {
        let stopping = || Error::unavailable("the gateway is stopping");
        let _one = self.foreseeing.acquire().await.map_err(|_| stopping())?;
        let (reply, foreseen) = oneshot::channel();
        self.sync.send(SyncCommand::Foresee(id, reply)).await.map_err(|_| stopping())?;
        foreseen.await.map_err(|_| stopping())?
    }

    /// Syncs with the primary provider now. Returns `None` when the host is stopping.
    pub(crate) async fn sync(&self, by: &Actor) -> Option<SyncReport> {
        let (reply, report) = oneshot::channel();
        self.sync.send(SyncCommand::Now(reply)).await.ok()?;
        let report = report.await.ok()?;
        let event = Event::new("sync").by(by);
        let event = match &report.error {
            None => event.verdict("done"),
            Some(error) => event.verdict("failed").text("problem", error),
        };
        let count = |list: usize| list as u64;
        let event = event.number("applied", count(report.applied.len()));
        let event = event.number("rejected", count(report.rejected.len()));
        self.recorded(event.number("deferred", count(report.held.len()))).await;
        Some(report)
    }

    /// Accepts that it is not known what was acknowledged before the state of this gateway was created.
    ///
    /// # Errors
    /// Invalid when the primary provider is not a remote one; Unavailable when it cannot be recorded, or the host is
    /// stopping.
    pub(crate) async fn accept_fresh(&self, by: &Actor) -> Result<()> {
        let stopping = || Error::unavailable("the gateway is stopping");
        let (reply, accepted) = oneshot::channel();
        self.sync.send(SyncCommand::AcceptNew(reply)).await.map_err(|_| stopping())?;
        let accepted = accepted.await.map_err(|_| stopping())?;
        self.recorded_result(Event::new("accept-fresh").by(by), &accepted).await;
        accepted
    }

    /// Pushes the active configuration to the primary provider.
    ///
    /// # Errors
    /// The first document that was not accepted; Unavailable also when the host is stopping.
    pub(crate) async fn push(&self, by: &Actor) -> Result<PushReport> {
        let stopping = || Error::unavailable("the gateway is stopping");
        let (reply, pushed) = oneshot::channel();
        let command = SyncCommand::Push(self.snapshot(), reply);
        self.sync.send(command).await.map_err(|_| stopping())?;
        let pushed = pushed.await.map_err(|_| stopping())?;
        self.recorded_result(Event::new("update").by(by), &pushed).await;
        pushed
    }
}
