use std::collections::HashSet;
use std::ffi::OsString;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use provider_api::{Clock, ProviderName, Registry, SystemClock};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use crate::apply::watch::{Interest, Notice, Watch};
use crate::apply::{Applier, ChangeVerdict, NotedChange, Trigger, Verdict};
use crate::config::DEFAULT_PRIMARY;
use crate::documents::{Documents, Touched};
use crate::last_good::LastGood;
use crate::management::Management;
use crate::providers::Surroundings;
use crate::providers::resolutions::Resolutions;
use crate::proxy::backend_client::Upstream;
use crate::proxy::exchange::Gateway;
use crate::recovery::{self, Recovered};
use crate::server::probe::Probe;
use crate::snapshot::feed::Snapshots;
use crate::snapshot::{Rejection, Snapshot};
use crate::status::{Status, StatusBoard};
use crate::sync::{Sync, SyncCommand, SyncParts, SyncReport};

/// What a gateway is started with.
#[derive(Clone, Debug)]
pub struct HostOptions {
    /// The path of config.toml.
    pub config: PathBuf,
    /// The providers that are compiled in.
    pub registry: Registry,
    /// The primary provider of a configuration that chooses none: `runbeam` unless set.
    pub default_provider: ProviderName,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
    /// Where the gateway and its providers keep what must survive a restart.
    pub state_dir: PathBuf,
    /// Whether the local configuration is pushed up to the primary provider before it is followed.
    pub push_on_start: bool,
}

impl HostOptions {
    /// The options for `config` with the machine's clock and a state directory in the user's home, or beside `config`
    /// for who has none.
    pub fn new(config: impl Into<PathBuf>, registry: Registry) -> Self {
        let config = config.into();
        let state_dir = state_dir(std::env::var_os("HOME"), &config);
        let default_provider = DEFAULT_PRIMARY.parse().unwrap_or_else(|_| ProviderName::local());
        Self {
            config,
            registry,
            default_provider,
            clock: Arc::new(SystemClock),
            state_dir,
            push_on_start: false,
        }
    }

    pub(crate) fn surroundings(&self, resolutions: Arc<Resolutions>) -> Surroundings {
        Surroundings {
            registry: self.registry.clone(),
            default_provider: self.default_provider.clone(),
            clock: Arc::clone(&self.clock),
            state_dir: self.state_dir.clone(),
            resolutions,
        }
    }
}

/// A running gateway. Dropping it aborts its watching and applying; the listeners close.
#[derive(Debug)]
pub struct Host {
    gateway: Arc<Gateway>,
    committed: Snapshots,
    status: Arc<StatusBoard>,
    commands: mpsc::Sender<Command>,
    sync: mpsc::Sender<SyncCommand>,
    work: JoinHandle<()>,
    following: JoinHandle<()>,
    keeping: JoinHandle<()>,
    last_good: Arc<LastGood>,
}

/// What the loop that owns the applier is told.
pub(crate) enum Command {
    /// Read the files and apply them.
    Reload(oneshot::Sender<Verdict>),
    /// Apply a provider's change.
    Change(NotedChange, oneshot::Sender<ChangeVerdict>),
    /// Stop, letting requests in flight finish for this long.
    Stop(Duration, oneshot::Sender<bool>),
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Reload(_) => "Reload",
            Self::Change(..) => "Change",
            Self::Stop(..) => "Stop",
        })
    }
}

impl Host {
    /// Starts a gateway: reads the configuration, binds its addresses and serves. One that was just stopped or dropped
    /// on the same configuration may take some seconds to let go of it; that is waited for.
    ///
    /// # Errors
    /// Every problem of a configuration that cannot be served, or that another gateway runs on it. Nothing is left
    /// running.
    pub async fn start(options: HostOptions) -> Result<Self, Rejection> {
        let status = StatusBoard::new();
        let config = absolute(&options.config);
        let recovered = recovery::recovered(&config, &options.state_dir).await?;
        let Recovered { journal, ring, kept, .. } = recovered;
        let former = kept.as_ref().map(|kept| kept.marks.references.clone()).unwrap_or_default();
        let resolutions = Resolutions::new(Arc::clone(&options.clock), former);
        let surroundings = options.surroundings(Arc::clone(&resolutions));
        let last_good = LastGood::new(ring, resolutions, Arc::clone(&options.clock), Arc::clone(&status));
        let of_provider = kept.as_ref().and_then(|kept| kept.marks.provider.clone());
        let (mut applier, first) =
            Applier::first(config, surroundings, Arc::clone(&status), Arc::clone(&last_good), kept).await?;
        let (snapshot, prepared, refused) = first.split();
        if let Some((name, text)) = of_provider {
            restore(&snapshot, &name, &text);
        }
        for warning in &snapshot.warnings {
            tracing::warn!("{warning}");
        }
        let (commands, inbox) = mpsc::channel(16);
        let (sync, sync_inbox) = mpsc::channel(16);
        let (primary, followed) = watch::channel(snapshot.providers.primary().cloned());
        let gateway = Arc::new(Gateway {
            snapshot: ArcSwap::new(Arc::clone(&snapshot)),
            primary,
            upstream: Upstream::new(),
            probe: Probe::new(),
            management: Arc::new(Management::new(Arc::clone(&status), commands.clone(), sync.clone())),
        });
        let parts = SyncParts {
            inbox: sync_inbox,
            apply: commands.clone(),
            primary: followed,
            status: Arc::clone(&status),
            journal_directory: recovery::journal_directory(&options.state_dir, &snapshot.config.proxy.id),
            journal,
            registry: options.registry.clone(),
            push: options.push_on_start.then(|| Arc::clone(&snapshot)),
            random: fastrand::Rng::new(),
            clock: Arc::clone(&options.clock),
        };
        let mut watch = Watch::start();
        watch.interest(interest(&gateway.snapshot.load().documents));
        applier.begin(&gateway, prepared, refused);
        let committed = applier.follow();
        let work = tokio::spawn(work(applier, Arc::clone(&gateway), watch, inbox));
        let following = tokio::spawn(Sync::new(parts).run());
        let keeping = tokio::spawn(Arc::clone(&last_good).run());
        Ok(Self { gateway, committed, status, commands, sync, work, following, keeping, last_good })
    }

    /// The configuration that is served. Take it once per request: what is asked of one snapshot fits together.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.gateway.snapshot.load_full()
    }

    /// What is served, and every configuration that takes its place, once it has proved to be live.
    pub fn snapshots(&self) -> Snapshots {
        self.committed.clone()
    }

    /// Whether it is in sync, and if not, why.
    pub fn status(&self) -> Arc<Status> {
        self.status.read()
    }

    /// The addresses that are listened on.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.snapshot().listeners.keys().copied().collect()
    }

    /// Reads the files and applies them now. `None` when the gateway is stopping.
    pub async fn reload(&self) -> Option<Verdict> {
        reload(&self.commands).await
    }

    /// Asks the primary provider for changes now and applies them, whatever its interval is. `None` when the
    /// gateway is stopping.
    pub async fn sync(&self) -> Option<SyncReport> {
        sync_now(&self.sync).await
    }

    /// Stops to accept requests and waits for those in flight, at most for `limit`. Says whether all finished.
    /// What it worked on is then free for another gateway.
    pub async fn shut_down(mut self, limit: Duration) -> bool {
        self.following.abort();
        self.keeping.abort();
        let keeper = Arc::clone(&self.last_good);
        let kept = tokio::task::spawn_blocking(move || keeper.keep());
        let (reply, finished) = oneshot::channel();
        // Also when the task that should answer hangs on a file system that does not.
        let stopping = async {
            self.commands.send(Command::Stop(limit, reply)).await.is_ok() && finished.await.unwrap_or(false)
        };
        let finished = tokio::time::timeout(limit, stopping).await.unwrap_or(false);
        self.work.abort();
        let ended = async {
            let _ = kept.await;
            let _ = (&mut self.following).await;
            let _ = (&mut self.keeping).await;
            let _ = (&mut self.work).await;
        };
        let _ = tokio::time::timeout(KEEPING, ended).await;
        finished
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.work.abort();
        self.following.abort();
        self.keeping.abort();
    }
}

/// How long a disk may take to keep what was learned last, when the gateway stops.
const KEEPING: Duration = Duration::from_secs(2);

/// Hands a provider what it kept before the restart. One that panics about it has forgotten it.
fn restore(snapshot: &Snapshot, name: &str, kept: &str) {
    let primary = snapshot.providers.primary().filter(|provider| provider.name().as_str() == name);
    if let Some(retention) = primary.and_then(|provider| provider.retention()) {
        let recalled = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| retention.restore(kept)));
        if recalled.is_err() {
            tracing::error!(provider = name, "a provider panicked over what it had kept");
        }
    }
}

pub(crate) async fn sync_now(sync: &mpsc::Sender<SyncCommand>) -> Option<SyncReport> {
    let (reply, report) = oneshot::channel();
    sync.send(SyncCommand::Now(reply)).await.ok()?;
    report.await.ok()
}

pub(crate) async fn reload(commands: &mpsc::Sender<Command>) -> Option<Verdict> {
    let (reply, verdict) = oneshot::channel();
    commands.send(Command::Reload(reply)).await.ok()?;
    verdict.await.ok()
}

/// The one task that applies: edits, polls and reloads come through here one after the other.
async fn work(
    mut applier: Applier,
    gateway: Arc<Gateway>,
    mut watch: Watch,
    mut inbox: mpsc::Receiver<Command>,
) {
    loop {
        let (touched, trigger, reply) = tokio::select! {
            biased;
            command = inbox.recv() => match command {
                Some(Command::Reload(reply)) => (Touched::Everything, Trigger::Asked, Some(reply)),
                Some(Command::Change(noted, reply)) => {
                    let verdict = applier.apply_change(&gateway, &noted).await;
                    watch.interest(interest(applier.read()));
                    let _ = reply.send(verdict);
                    continue;
                }
                Some(Command::Stop(limit, reply)) => {
                    let _ = reply.send(applier.shut_down(limit).await);
                    return;
                }
                None => return,
            },
            notice = watch.next() => match notice {
                Notice::Edited(touched) => (touched, Trigger::Edit, None),
                Notice::Time => (Touched::Everything, Trigger::Poll, None),
                Notice::Nothing => continue,
            },
        };
        let verdict = applier.apply(&gateway, touched, trigger).await;
        watch.interest(interest(applier.read()));
        watch.hopeful(matches!(&verdict, Verdict::Rejected(refusal) if refusal.may_fare_better()));
        if let Some(reply) = reply {
            let _ = reply.send(verdict);
        }
    }
}

/// What is to be watched for a configuration.
fn interest(documents: &Documents) -> Interest {
    let root = documents.config_path().parent().map(Path::to_owned).unwrap_or_default();
    let files: HashSet<PathBuf> = documents.files().map(|(name, _)| root.join(name)).collect();
    let mut directories: HashSet<PathBuf> =
        files.iter().filter_map(|file| file.parent().map(Path::to_owned)).collect();
    for gateway in documents.fragments().filter_map(|fragment| fragment.gateway.as_ref()) {
        let proxy = &gateway.proxy;
        for directory in [&proxy.pipelines_path, &proxy.mesh_path, &proxy.transforms_path] {
            directories.insert(root.join(&directory.path));
        }
    }
    directories.insert(root);
    Interest { directories, files }
}

/// Never in a place where others may write: what is kept there is trusted.
fn state_dir(home: Option<OsString>, config: &Path) -> PathBuf {
    let home = home.filter(|home| !home.is_empty()).map(PathBuf::from);
    let beside = || absolute(config).parent().map(Path::to_owned).unwrap_or_default();
    home.unwrap_or_else(beside).join(".runbeam")
}

pub(crate) fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_home_the_state_is_beside_the_configuration() {
        let config = Path::new("/etc/harmony/config.toml");
        assert_eq!(state_dir(Some("/home/a".into()), config), Path::new("/home/a/.runbeam"));
        for none in [None, Some(OsString::new())] {
            assert_eq!(state_dir(none, config), Path::new("/etc/harmony/.runbeam"));
        }
        let here = std::env::current_dir().unwrap();
        assert_eq!(state_dir(None, Path::new("config.toml")), here.join(".runbeam"));
    }
}
