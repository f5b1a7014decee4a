mod change;
mod writing;

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use provider_api::{Change, RejectionClass};
use tokio::sync::watch;

use crate::digest::Digest;
use crate::documents::{Documents, Loaded, Touched};
use crate::fault_points::kill;
use crate::gateway::Gateway;
use crate::host::{HostOptions, absolute};
use crate::journal::{Before, Journal, Target, Trial};
use crate::last_good::{Generation, LastGood};
use crate::listener::{Listeners, Prepared};
use crate::problem::Problems;
use crate::providers::Surroundings;
use crate::resolutions::Resolutions;
use crate::snapshot::{Refusal, Snapshot};
use crate::snapshots::Snapshots;
use crate::status::{Attempted, Desired, Effective, ProblemReport, StatusBoard, full, timestamp};
use writing::{LEFT, NotCommitted};

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
    Rejected(Refusal),
}

/// What became of a provider's change.
#[derive(Clone, Debug)]
pub(crate) enum ChangeVerdict {
    /// It is live.
    Applied,
    /// It is not, and nothing of it was kept. With what is known of this try, when another may fare better.
    Rejected(Refusal, Option<Trial>),
    /// A file it would write is not what it was when the change was rejected: something newer is there.
    Overtaken,
    /// It cannot be judged, for a reason that is not its own; it waits.
    Held(String),
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

/// A change that is in the journal.
#[derive(Clone, Debug)]
pub(crate) struct NotedChange {
    pub(crate) sequence: u64,
    pub(crate) change: Arc<Change>,
    pub(crate) journal: Arc<Journal>,
    /// What its files must still be, when it was rejected before.
    pub(crate) targets: Vec<Target>,
    /// What its files were before an earlier try that did not come to its end.
    pub(crate) before: Vec<Before>,
}

/// How often a change is tried anew because its files were edited meanwhile.
const MAX_TRIES: usize = 5;

/// The only door through which a configuration becomes what is served.
#[derive(Debug)]
pub(crate) struct Applier {
    config_path: PathBuf,
    surroundings: Surroundings,
    status: Arc<StatusBoard>,
    listeners: Listeners,
    /// The tree read last, served or not: what was not touched since is not read again.
    read: Arc<Documents>,
    /// What was rejected last, as long as the files say it.
    rejected: Option<(Digest, Refusal)>,
    last_good: Arc<LastGood>,
    /// What is served and was seen to be, for those who follow it.
    committed: watch::Sender<Arc<Snapshot>>,
}

/// The first configuration, ready to be served.
#[derive(Debug)]
pub(crate) struct First {
    snapshot: Arc<Snapshot>,
    prepared: Prepared,
    /// The files and what is wrong with them, when what is served first is not what they say.
    refused: Option<(Digest, Refusal)>,
}

impl First {
    pub(crate) fn split(self) -> (Arc<Snapshot>, Prepared, Option<(Digest, Refusal)>) {
        (self.snapshot, self.prepared, self.refused)
    }
}

impl Applier {
    /// Reads, checks and builds the first configuration and binds its addresses. When it cannot be served, and one
    /// that was good is kept, that takes its place.
    ///
    /// # Errors
    /// Every problem of the files. Nothing is left open.
    pub(crate) async fn first(
        config_path: PathBuf,
        surroundings: Surroundings,
        status: Arc<StatusBoard>,
        last_good: Arc<LastGood>,
        kept: Option<Generation>,
    ) -> Result<(Self, First), Refusal> {
        let listeners = Listeners::new();
        let (path, around) = (config_path.clone(), surroundings.clone());
        let (documents, built) = build(path, around, None, None, Touched::Everything).await;
        let built = match built {
            Ok(Built::New(snapshot)) => prepare(&listeners, &snapshot).map(|prepared| First {
                snapshot: Arc::from(snapshot),
                prepared,
                refused: None,
            }),
            Ok(Built::Same) => {
                Err(refusal(RejectionClass::Build, "configuration", "there is nothing to build"))
            }
            Err(refusal) => Err(refusal),
        };
        let first = match built {
            Ok(first) => first,
            Err(refusal) => {
                let digest = documents.map_or(Digest::of(b""), |documents| documents.digest());
                let kept = kept.filter(|kept| kept.marks.digest != full(digest));
                let Some(kept) = kept else { return Err(refusal) };
                match built_of(config_path.clone(), surroundings.clone(), kept).await {
                    Ok(snapshot) => {
                        let prepared = prepare(&listeners, &snapshot)?;
                        First { snapshot: Arc::from(snapshot), prepared, refused: Some((digest, refusal)) }
                    }
                    Err(_) => return Err(refusal),
                }
            }
        };
        let read = Arc::clone(&first.snapshot.documents);
        let committed = watch::Sender::new(Arc::clone(&first.snapshot));
        let applier =
            Self { config_path, surroundings, status, listeners, read, rejected: None, last_good, committed };
        Ok((applier, first))
    }

    /// Serves the first configuration.
    pub(crate) fn begin(
        &mut self,
        gateway: &Arc<Gateway>,
        prepared: Prepared,
        refused: Option<(Digest, Refusal)>,
    ) {
        self.listeners.open(prepared, gateway);
        let snapshot = gateway.snapshot.load_full();
        self.note_applied(&snapshot);
        self.last_good.committed(snapshot);
        if let Some((digest, refusal)) = refused {
            tracing::error!("the files cannot be served; what was good last is served instead");
            self.status.change(|status| status.desired = desired(digest));
            self.reject(digest, refusal, Trigger::Asked);
        }
    }

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

    /// Tries a provider's change. Whatever goes wrong, what was served is served on, and the files are what they
    /// were.
    pub(crate) async fn apply_change(
        &mut self,
        gateway: &Arc<Gateway>,
        noted: &NotedChange,
    ) -> ChangeVerdict {
        if let Err(why) = self.take_back_earlier(&gateway.snapshot.load_full(), noted).await {
            return ChangeVerdict::Held(why);
        }
        for _ in 0..MAX_TRIES {
            if let Some(verdict) = self.try_change(gateway, noted).await {
                return verdict;
            }
        }
        ChangeVerdict::Held("files that it would write are being edited".to_owned())
    }

    /// `None` when files changed under its hands.
    async fn try_change(&mut self, gateway: &Arc<Gateway>, noted: &NotedChange) -> Option<ChangeVerdict> {
        let served = gateway.snapshot.load_full();
        let surroundings = self.surroundings.clone();
        let (read, before, change) = (Arc::clone(&self.read), Arc::clone(&served), Arc::clone(&noted.change));
        let path = self.config_path.clone();
        let built = change::build(path, surroundings, read, before, change, &noted.targets).await;
        let (files, snapshot, edits) = match built {
            change::Built::Same(files) => {
                let noted = noted.clone();
                let work = move || noted.journal.says_the_same(noted.sequence, files);
                return match tokio::task::spawn_blocking(work).await {
                    Ok(Ok(())) => Some(ChangeVerdict::Applied),
                    Ok(Err(error)) => Some(ChangeVerdict::Held(unwritable(&error))),
                    Err(error) => Some(ChangeVerdict::Held(error.to_string())),
                };
            }
            change::Built::New { files, snapshot, edits } => (files, *snapshot, edits),
            change::Built::Rejected(refusal, trial) => {
                return Some(ChangeVerdict::Rejected(refusal, trial));
            }
            change::Built::Overtaken => return Some(ChangeVerdict::Overtaken),
            change::Built::Held(why) => return Some(ChangeVerdict::Held(why)),
        };
        kill("built");
        let targets = change::targets(&files, &edits);
        if let Some((file, newer)) = noted.journal.newer(noted.sequence, &targets) {
            let message = format!("the change {newer}, which is newer, has written it already");
            let refusal = refusal(RejectionClass::Superseded, &file, &message);
            return Some(ChangeVerdict::Rejected(refusal, None));
        }
        let against = full(served.documents.digest());
        // With an edit that is not served, it cannot be told whose fault it is.
        let edited = files.digest() != served.documents.digest();
        let rejected = |refusal: Refusal| {
            if edited {
                let first = refusal.problems.sorted_errors().first().map(ToString::to_string);
                let first = first.unwrap_or_default();
                return Some(ChangeVerdict::Held(format!("beside an edit that is not served yet: {first}")));
            }
            let trial = Trial::new(refusal.class, against.clone(), targets.clone());
            Some(ChangeVerdict::Rejected(refusal, Some(trial)))
        };
        let prepared = match prepare(&self.listeners, &snapshot) {
            Ok(prepared) => prepared,
            Err(refusal) => return rejected(refusal),
        };
        kill("bound");
        let commit = match self.commit(noted, files, edits).await {
            Ok(before) => before,
            Err(NotCommitted::Edited) => return None,
            Err(NotCommitted::Held(why)) => return Some(ChangeVerdict::Held(why)),
            Err(NotCommitted::Rejected(refusal)) => {
                let trial = Trial::new(refusal.class, against, targets).machine();
                return Some(ChangeVerdict::Rejected(refusal, Some(trial)));
            }
        };
        let documents = Arc::clone(&snapshot.documents);
        match self.publish(gateway, &served, snapshot, prepared, Some(noted)).await {
            Ok(generation) => {
                self.read = documents;
                self.rejected = None;
                self.note_applied(&gateway.snapshot.load());
                tracing::info!(generation, change = %noted.change.id, "change applied");
                Some(ChangeVerdict::Applied)
            }
            Err(refusal) => match self.take_back(commit).await {
                true => rejected(refusal),
                // Rejected with its files in place it would be served after all, by the next look at them.
                false => Some(ChangeVerdict::Held(LEFT.to_owned())),
            },
        }
    }

    fn root(&self) -> PathBuf {
        self.config_path.parent().map(std::path::Path::to_owned).unwrap_or_default()
    }

    /// Publish, open, probe, retire: add before remove. The addresses are bound already.
    async fn publish(
        &mut self,
        gateway: &Arc<Gateway>,
        served: &Arc<Snapshot>,
        snapshot: Snapshot,
        prepared: Prepared,
        noted: Option<&NotedChange>,
    ) -> Result<u64, Refusal> {
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

    fn reject(&mut self, digest: Digest, refusal: Refusal, trigger: Trigger) -> Verdict {
        let class = refusal.class;
        // Looking again finds the same again; it is said once, unless somebody asked.
        let same = |(tried, before): &(Digest, Refusal)| *tried == digest && before.class == class;
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

    fn note_applied(&self, snapshot: &Snapshot) {
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

fn unwritable(error: &std::io::Error) -> String {
    format!("the journal cannot be written: {error}")
}

fn desired(digest: Digest) -> Desired {
    Desired { digest: full(digest), read_at: timestamp(SystemTime::now()) }
}

pub(crate) fn refusal(class: RejectionClass, key: &str, message: &str) -> Refusal {
    let mut problems = Problems::default();
    problems.error(None, key, message);
    Refusal { class, problems }
}

fn prepare(listeners: &Listeners, snapshot: &Snapshot) -> Result<Prepared, Refusal> {
    listeners.prepare(&snapshot.listeners).map_err(|errors| {
        let mut problems = Problems::default();
        for error in errors {
            let network = snapshot.config.networks.iter().find(|network| *network.name == *error.network);
            let place = network.and_then(|n| n.listen.as_ref()).map(|listen| &listen.address.place);
            problems
                .error(place, format!("network.{}", error.network), error.to_string())
                .help("free the address, or configure another one");
        }
        Refusal { class: RejectionClass::Bind, problems }
    })
}

/// What the files make, without serving it.
///
/// # Errors
/// Every problem.
pub(crate) async fn look(options: &HostOptions) -> Result<Snapshot, Refusal> {
    let path = absolute(&options.config);
    let resolutions = Resolutions::new(Arc::clone(&options.clock), Vec::new());
    let surroundings = options.surroundings(resolutions);
    match build(path, surroundings, None, None, Touched::Everything).await.1? {
        Built::New(snapshot) => Ok(*snapshot),
        Built::Same => Err(refusal(RejectionClass::Build, "configuration", "there is nothing to build")),
    }
}

/// Builds a configuration that was kept, without its files.
async fn built_of(
    config_path: PathBuf,
    surroundings: Surroundings,
    kept: Generation,
) -> Result<Box<Snapshot>, Refusal> {
    let work = move || {
        let Loaded { documents, problems } = Documents::of_kept(&config_path, &kept.files);
        Snapshot::build(Arc::new(documents), problems, 1, &surroundings, None)
    };
    let panicked = |_| refusal(RejectionClass::Build, "provider", "a provider panicked while it was built");
    let mut snapshot = Box::new(tokio::task::spawn_blocking(work).await.map_err(panicked)??);
    snapshot.check_local_references().await?;
    Ok(snapshot)
}

/// What came of reading the files.
enum Built {
    /// They are what is served.
    Same,
    /// They make this.
    New(Box<Snapshot>),
}

/// Reads and builds off the request threads. A provider that panics while it is built refuses its
/// configuration and nothing else.
async fn build(
    config_path: PathBuf,
    surroundings: Surroundings,
    read: Option<Arc<Documents>>,
    served: Option<Arc<Snapshot>>,
    touched: Touched,
) -> (Option<Arc<Documents>>, Result<Built, Refusal>) {
    let work = move || {
        let vanish = served.as_ref().map(|served| &*served.documents);
        let Loaded { documents, problems } = Documents::load(&config_path, read.as_deref(), vanish, &touched);
        let documents = Arc::new(documents);
        let generation = served.as_ref().map_or(1, |served| served.generation + 1);
        if !problems.refuse() && served.as_ref().is_some_and(|s| s.documents.digest() == documents.digest()) {
            return (documents, Ok(Built::Same));
        }
        let built =
            Snapshot::build(Arc::clone(&documents), problems, generation, &surroundings, served.as_deref());
        (documents, built.map(|snapshot| Built::New(Box::new(snapshot))))
    };
    match tokio::task::spawn_blocking(work).await {
        Ok((documents, Ok(Built::New(mut snapshot)))) => {
            let checked = snapshot.check_local_references().await;
            (Some(documents), checked.map(|()| Built::New(snapshot)))
        }
        Ok((documents, built)) => (Some(documents), built),
        Err(_) => {
            (None, Err(refusal(RejectionClass::Build, "provider", "a provider panicked while it was built")))
        }
    }
}
