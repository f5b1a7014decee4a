//! The control of a running host: queries and commands.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use provider_api::{ChangeId, Error, Result};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::{Instant, timeout};

use crate::apply::{Asked, Command, ConfigEdit, Foreseen, Pulse, Verdict};
use crate::documents::origins::Origins;
use crate::host::log_levels::LogLevels;
use crate::host::readiness::Readiness;
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
    pub(crate) async fn pause(&self, pause: Pause) -> Result<bool> {
        self.pause.set(pause.clone()).await?;
        // The place for the record of who did it.
        tracing::warn!("the sync {}; `harmony-host resume` ends the pause", pause.in_words());
        let (reply, quiet) = oneshot::channel();
        let ended = async { self.sync.send(SyncCommand::Quiet(reply)).await.is_ok() && quiet.await.is_ok() };
        Ok(timeout(QUIET, ended).await.unwrap_or(false))
    }

    /// Ends the pause of the sync. Returns the pause, `None` if there was none.
    ///
    /// # Errors
    /// Unavailable when that cannot be recorded.
    pub(crate) async fn resume(&self, by: &str) -> Result<Option<Pause>> {
        let Some(pause) = self.pause.current() else { return Ok(None) };
        self.pause.clear().await?;
        // The place for the record of who did it.
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
    pub(crate) async fn reload(&self) -> Option<Verdict> {
        let (reply, verdict) = oneshot::channel();
        self.commands.send(Command::Reload(reply)).await.ok()?;
        let verdict = verdict.await.ok()?;
        let counters = &self.status.counters;
        match verdict {
            Verdict::Applied { .. } => counters.reloads_applied.inc(),
            Verdict::Unchanged { .. } => counters.reloads_unchanged.inc(),
            Verdict::Rejected(_) => counters.reloads_rejected.inc(),
        }
        Some(verdict)
    }

    /// Edits config.toml and applies it. Returns whether it was written; `None` when the host is stopping.
    ///
    /// # Errors
    /// The error of the operating system or of `edit`; the file is then unchanged.
    pub(super) async fn edit_config(&self, edit: ConfigEdit) -> std::io::Result<Option<bool>> {
        let (reply, written) = oneshot::channel();
        if self.commands.send(Command::Edit(edit, reply)).await.is_err() {
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
    pub(crate) async fn sync(&self) -> Option<SyncReport> {
        let (reply, report) = oneshot::channel();
        self.sync.send(SyncCommand::Now(reply)).await.ok()?;
        report.await.ok()
    }

    /// Accepts that it is not known what was acknowledged before the state of this gateway was created.
    ///
    /// # Errors
    /// Invalid when the primary provider is not a remote one; Unavailable when it cannot be recorded, or the host is
    /// stopping.
    pub(crate) async fn accept_fresh(&self) -> Result<()> {
        let stopping = || Error::unavailable("the gateway is stopping");
        let (reply, accepted) = oneshot::channel();
        self.sync.send(SyncCommand::AcceptNew(reply)).await.map_err(|_| stopping())?;
        accepted.await.map_err(|_| stopping())?
    }

    /// Pushes the active configuration to the primary provider.
    ///
    /// # Errors
    /// The first document that was not accepted; Unavailable also when the host is stopping.
    pub(crate) async fn push(&self) -> Result<PushReport> {
        let stopping = || Error::unavailable("the gateway is stopping");
        let (reply, pushed) = oneshot::channel();
        let command = SyncCommand::Push(self.snapshot(), reply);
        self.sync.send(command).await.map_err(|_| stopping())?;
        pushed.await.map_err(|_| stopping())?
    }
}
