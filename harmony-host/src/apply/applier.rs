use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use provider_api::RejectionClass;
use tokio::sync::watch;

use crate::apply::NotedChange;
use crate::apply::build::{Built, build};
use crate::diagnostics::problem::Problems;
use crate::documents::{Documents, Touched};
use crate::journal::Journal;
use crate::last_good::LastGood;
use crate::providers::Surroundings;
use crate::proxy::exchange::Gateway;
use crate::server::listeners::{Listeners, Prepared};
use crate::snapshot::feed::Snapshots;
use crate::snapshot::{Rejection, Snapshot};
use crate::status::{Attempted, Desired, Effective, ProblemReport, StatusBoard, full, timestamp};
use crate::storage::digest::Digest;
use crate::storage::failpoints::kill;

/// What became of a configuration that was tried.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// The files are what is served already.
    Unchanged {
        /// The generation that is served.
        generation: u64,
    },
    /// It is live.
    Applied {
        /// Its generation.
        generation: u64,
    },
    /// It is not live; what was served before is served on.
    Rejected(Rejection),
}

/// How a configuration comes to be tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trigger {
    /// Somebody asked for it.
    Asked,
    /// A file changed.
    Edit,
    /// It was time for the slow look that catches what no event told.
    Poll,
}

/// The only door through which a configuration becomes what is served.
#[derive(Debug)]
pub(crate) struct Applier {
    pub(super) config_path: PathBuf,
    pub(super) surroundings: Surroundings,
    pub(super) status: Arc<StatusBoard>,
    pub(super) listeners: Listeners,
    /// The tree read last, served or not: what was not touched since is not read again.
    pub(super) read: Arc<Documents>,
    /// What was rejected last, as long as the files say it.
    pub(super) rejected: Option<(Digest, Rejection)>,
    pub(super) last_good: Arc<LastGood>,
    /// What is served and was seen to be, for those who follow it.
    pub(super) committed: watch::Sender<Arc<Snapshot>>,
}

impl Applier {
    /// Tries what the files say now. Whatever goes wrong, what was served is served on.
    pub(crate) async fn apply(
        &mut self,
        gateway: &Arc<Gateway>,
        touched: Touched,
        trigger: Trigger,
    ) -> Verdict {
        let served = gateway.snapshot.load_full();
        let (surroundings, before) = (self.surroundings.clone(), Arc::clone(&served));
        let (read, built) = build(
            self.config_path.clone(),
            surroundings,
            Some(Arc::clone(&self.read)),
            Some(before),
            touched,
        )
        .await;
        let digest = read.as_ref().map_or_else(|| self.read.digest(), |read| read.digest());
        if let Some(read) = read {
            self.read = read;
        }
        self.status.change(|status| status.desired = desired(digest));
        let snapshot = match built {
            Ok(Built::Same) => {
                if self.rejected.take().is_some() {
                    tracing::info!("the files are again what is served");
                }
                self.note_applied(&served);
                return Verdict::Unchanged { generation: served.generation };
            }
            Ok(Built::New(snapshot)) => *snapshot,
            Err(refusal) => return self.reject(digest, refusal, trigger),
        };
        // What was live for a moment and did not answer is not made live again and again.
        if let Some((_, refusal)) = self.rejected.as_ref().filter(|(tried, refusal)| {
            trigger != Trigger::Asked && *tried == digest && refusal.class == RejectionClass::Probe
        }) {
            return Verdict::Rejected(refusal.clone());
        }
        let published = match prepare(&self.listeners, &snapshot) {
            Ok(prepared) => self.publish(gateway, &served, snapshot, prepared, None).await,
            Err(refusal) => Err(refusal),
        };
        match published {
            Ok(generation) => {
                self.rejected = None;
                self.note_applied(&gateway.snapshot.load());
                tracing::info!(generation, %digest, "configuration applied");
                let known: HashSet<String> = served.warnings.iter().map(ToString::to_string).collect();
                for warning in gateway.snapshot.load().warnings.iter().map(ToString::to_string) {
                    if !known.contains(&warning) {
                        tracing::warn!("{warning}");
                    }
                }
                Verdict::Applied { generation }
            }
            Err(refusal) => self.reject(digest, refusal, trigger),
        }
    }

    pub(super) fn root(&self) -> PathBuf {
        self.config_path.parent().map(std::path::Path::to_owned).unwrap_or_default()
    }

    /// Publish, open, probe, retire: add before remove. The addresses are bound already.
    pub(super) async fn publish(
        &mut self,
        gateway: &Arc<Gateway>,
        served: &Arc<Snapshot>,
        snapshot: Snapshot,
        prepared: Prepared,
        noted: Option<&NotedChange>,
    ) -> Result<u64, Rejection> {
        let generation = snapshot.generation;
        let snapshot = Arc::new(snapshot);
        gateway.snapshot.store(Arc::clone(&snapshot));
        self.listeners.open(prepared, gateway);
        note(noted, Journal::published).await;
        kill("published");
        if let Err(message) = gateway.probe.look(&snapshot, served).await {
            gateway.snapshot.store(Arc::clone(served));
            self.listeners.retire(&served.listeners).await;
            return Err(refusal(RejectionClass::Probe, "listeners", &message));
        }
        kill("looked");
        note(noted, Journal::probed).await;
        kill("probed");
        self.listeners.retire(&snapshot.listeners).await;
        gateway.primary.send_replace(snapshot.providers.primary().cloned());
        self.committed.send_replace(Arc::clone(&snapshot));
        self.last_good.committed(snapshot);
        Ok(generation)
    }

    pub(super) fn reject(&mut self, digest: Digest, refusal: Rejection, trigger: Trigger) -> Verdict {
        let class = refusal.class;
        // Looking again finds the same again; it is said once, unless somebody asked.
        let same = |(tried, before): &(Digest, Rejection)| *tried == digest && before.class == class;
        let known = trigger != Trigger::Asked && self.rejected.as_ref().is_some_and(same);
        if !known {
            tracing::error!(%class, %digest, "configuration rejected; what was served is served on");
            for problem in refusal.problems.sorted_errors() {
                tracing::error!("{problem}");
            }
            self.status.change(|status| {
                status.attempted = Some(Attempted {
                    digest: full(digest),
                    at: timestamp(SystemTime::now()),
                    verdict: "rejected",
                    class: Some(class.to_string()),
                    problems: refusal.problems.sorted_errors().into_iter().map(ProblemReport::from).collect(),
                });
            });
        }
        self.rejected = Some((digest, refusal.clone()));
        Verdict::Rejected(refusal)
    }

    pub(super) fn note_applied(&self, snapshot: &Snapshot) {
        let digest = snapshot.documents.digest();
        let at = timestamp(SystemTime::now());
        self.status.change(|status| {
            status.desired = desired(digest);
            let same =
                status.effective.as_ref().filter(|effective| effective.generation == snapshot.generation);
            let since = same.map_or(at, |effective| effective.since);
            status.attempted = Some(Attempted {
                digest: full(digest),
                at: since,
                verdict: "applied",
                class: None,
                problems: Vec::new(),
            });
            status.effective = Some(Effective {
                generation: snapshot.generation,
                digest: full(digest),
                since,
                warnings: snapshot.warnings.iter().map(ProblemReport::from).collect(),
            });
        });
    }

    /// Every configuration that proves to be served, from now on. Ends with this applier.
    pub(crate) fn follow(&self) -> Snapshots {
        Snapshots::new(self.committed.subscribe())
    }

    /// The tree read last, served or not.
    pub(crate) fn read(&self) -> &Documents {
        &self.read
    }

    /// Closes the listeners and waits for requests in flight. Says whether all finished.
    pub(crate) async fn shut_down(self, limit: std::time::Duration) -> bool {
        self.listeners.shut_down(limit).await
    }
}

/// Notes how far a change has come. That it cannot be noted takes nothing back: after a kill it is taken back and
/// tried again, as it says in the note before.
async fn note(noted: Option<&NotedChange>, step: fn(&Journal, u64) -> std::io::Result<()>) {
    let Some(noted) = noted.cloned() else { return };
    let written = tokio::task::spawn_blocking(move || step(&noted.journal, noted.sequence)).await;
    if let Ok(Err(error)) = written {
        tracing::warn!(%error, "the journal cannot be written");
    }
}

pub(super) fn unwritable(error: &std::io::Error) -> String {
    format!("the journal cannot be written: {error}")
}

pub(super) fn desired(digest: Digest) -> Desired {
    Desired { digest: full(digest), read_at: timestamp(SystemTime::now()) }
}

pub(crate) fn refusal(class: RejectionClass, key: &str, message: &str) -> Rejection {
    let mut problems = Problems::default();
    problems.error(None, key, message);
    Rejection { class, problems }
}

pub(super) fn prepare(listeners: &Listeners, snapshot: &Snapshot) -> Result<Prepared, Rejection> {
    listeners.prepare(&snapshot.listeners).map_err(|errors| {
        let mut problems = Problems::default();
        for error in errors {
            let network = snapshot.config.networks.iter().find(|network| *network.name == *error.network);
            let place = network.and_then(|n| n.listen.as_ref()).map(|listen| &listen.address.place);
            problems
                .error(place, format!("network.{}", error.network), error.to_string())
                .help("free the address, or configure another one");
        }
        Rejection { class: RejectionClass::Bind, problems }
    })
}
