//! The store of the history: takes attempts from the applier, and records them in the background.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::timeout;

use crate::audit::Audit;
use crate::documents::layers::Layers;
use crate::documents::origins::Origins;
use crate::history::inner::{Inner, New};
use crate::history::log::Log;
use crate::history::recording::{Around, event, new_texts, still_rolled_back};
use crate::history::state::State;
use crate::history::{Applied, Managed, Pending, Refused, RolledBackFile};
use crate::status::{HistoryStatus, RolledBackDocument, StatusBoard};
use crate::storage::complaint;
use crate::storage::digest::{Digest, full};

/// The number of attempts that wait to be recorded. Each keeps its configuration in memory.
const MAX_WAITING: usize = 64;

/// The pause before the disk is tried again after a failure.
const RETRY: Duration = Duration::from_secs(5);

/// The longest wait of a question for the attempts before it.
const PATIENCE: Duration = Duration::from_secs(2);

/// Returns the directory of a configuration's history.
pub(crate) fn directory(state: &Path, config_path: &Path) -> PathBuf {
    let digest = Digest::of(config_path.as_os_str().as_encoded_bytes());
    state.join("harmony").join("history").join(full(digest))
}

/// The history as the process before left it.
#[derive(Debug)]
pub(crate) struct Opened {
    directory: PathBuf,
    log: io::Result<Log>,
    state: State,
    /// The rollback that was live when the process ended, before it was recorded.
    pub(crate) unrecorded: Option<Pending>,
}

impl Opened {
    /// Opens the history in `directory`, which need not exist. Blocks.
    pub(crate) fn open(directory: PathBuf, unrecorded: Option<Pending>) -> Self {
        let (log, state) = match Log::open(&directory) {
            Ok((log, state)) => (Ok(log), state),
            Err(error) => {
                tracing::error!(%error, "the history cannot be read; generations are not recorded");
                (Err(error), State::default())
            }
        };
        Self { directory, log, state, unrecorded }
    }
}

/// The history of a running gateway.
#[derive(Debug)]
pub(crate) struct History {
    directory: PathBuf,
    pub(super) inner: Mutex<Inner>,
    jobs: Mutex<Jobs>,
    work: Notify,
    done: watch::Sender<u64>,
    around: Around,
    status: Arc<StatusBoard>,
    audit: Audit,
}

#[derive(Debug, Default)]
struct Jobs {
    waiting: VecDeque<Job>,
    taken: u64,
}

#[derive(Debug)]
enum Job {
    Applied(Box<Applied>),
    Refused(Box<Refused>),
    Identical(BTreeMap<String, Managed>),
}

impl History {
    pub(crate) fn new(
        opened: Opened,
        layers: Layers,
        origins: Arc<Origins>,
        status: Arc<StatusBoard>,
        audit: Audit,
    ) -> Arc<Self> {
        let Opened { directory, log, state, .. } = opened;
        let failure = log.as_ref().err().map(ToString::to_string);
        let inner = Inner { state, log: log.ok(), is_behind: false, served: 0, documents: None, failure };
        let shown = inner.state.rolled_back.iter().map(RolledBackDocument::from).collect();
        status.change(|status| status.rolled_back = shown);
        Arc::new(Self {
            directory,
            inner: Mutex::new(inner),
            jobs: Mutex::default(),
            work: Notify::new(),
            done: watch::Sender::new(0),
            around: Around { layers, origins },
            status,
            audit,
        })
    }

    /// Creates a history without a file, for tests of its callers.
    #[cfg(test)]
    pub(crate) fn detached() -> Arc<Self> {
        let (root, status) = (Path::new("/nowhere"), StatusBoard::new());
        let config = root.join("config.toml");
        let opened = Opened {
            directory: root.to_owned(),
            log: Err(io::Error::other("none")),
            state: State::default(),
            unrecorded: None,
        };
        let place = crate::audit::Place::new(root, &config, None);
        let audit = Audit::new(place, Arc::clone(&status));
        Self::new(opened, Layers::base_only(&config), Origins::open(root, &config), status, audit)
    }

    /// Returns the number of a configuration that a start serves: that of the newest generation, if it has the same files,
    /// else the next one. `saved` is the number and the digest of the last good configuration.
    pub(crate) fn number_of(&self, digest: &str, saved: Option<(u64, &str)>) -> u64 {
        let inner = lock(&self.inner);
        let recorded = inner.state.newest.as_ref().map(|(generation, digest)| (*generation, digest.as_str()));
        // The disk may have failed when the history was to be written, and not for the other.
        match recorded.into_iter().chain(saved).max_by_key(|(generation, _)| *generation) {
            Some((generation, known)) if known == digest => generation.max(1),
            Some((generation, _)) => generation + 1,
            None => 1,
        }
    }

    /// Records what the control plane's changes have written before, as far as the journal knows. Call it before the first
    /// attempt.
    pub(crate) fn seed(&self, managed: impl Iterator<Item = (String, Managed)>) {
        let known = &mut lock(&self.inner).state.managed;
        for (file, managed) in managed {
            // What is recorded has the generation too.
            match known.get(&file) {
                Some(recorded) if recorded.change == managed.change => {}
                _ => drop(known.insert(file, managed)),
            }
        }
    }

    /// Records a configuration that became live. Never waits.
    pub(crate) fn applied(&self, applied: Applied) {
        self.push(Job::Applied(Box::new(applied)));
    }

    /// Records changes of documents whose files had that text already. Never waits.
    pub(crate) fn found_identical(&self, managed: BTreeMap<String, Managed>) {
        self.push(Job::Identical(managed));
    }

    /// Records an attempt that was refused. Never waits.
    pub(crate) fn refused(&self, refused: Refused) {
        self.push(Job::Refused(Box::new(refused)));
    }

    fn push(&self, job: Job) {
        let mut jobs = lock(&self.jobs);
        if jobs.waiting.len() == MAX_WAITING {
            // The next one is compared with what is recorded, so only what was between is lost.
            jobs.waiting.pop_front();
        }
        jobs.waiting.push_back(job);
        jobs.taken += 1;
        drop(jobs);
        self.work.notify_one();
    }

    /// Waits until the attempts so far are recorded, at most 2 s.
    pub(crate) async fn settled(&self) {
        let taken = lock(&self.jobs).taken;
        let mut done = self.done.subscribe();
        let _ = timeout(PATIENCE, done.wait_for(|done| *done >= taken)).await;
    }

    /// Records attempts as they come. Runs until it is dropped; cancel safe.
    pub(crate) async fn run(self: Arc<Self>) {
        loop {
            let is_behind = lock(&self.inner).is_behind;
            let wait = if is_behind { RETRY } else { Duration::MAX };
            let _ = timeout(wait, self.work.notified()).await;
            let history = Arc::clone(&self);
            let _ = tokio::task::spawn_blocking(move || history.record()).await;
        }
    }

    /// Records what waits. Blocks.
    pub(crate) fn record(&self) {
        let mut inner = lock(&self.inner);
        loop {
            let (job, taken) = {
                let mut jobs = lock(&self.jobs);
                (jobs.waiting.pop_front(), jobs.taken - jobs.waiting.len() as u64)
            };
            let Some(job) = job else { break };
            match job {
                Job::Applied(job) => self.record_applied(&mut inner, &job),
                Job::Refused(job) => self.record_refused(&mut inner, &job),
                Job::Identical(managed) => self.record_identical(&mut inner, managed),
            }
            self.done.send_replace(taken);
        }
        if inner.is_behind {
            let written = inner.rewrite();
            self.report(&mut inner, written);
        }
    }

    fn record_applied(&self, inner: &mut Inner, job: &Applied) {
        let is_same =
            inner.state.newest.as_ref().is_some_and(|(generation, _)| *generation == job.after.generation);
        let files = self.around.deltas(job, &inner.state);
        let is_first = !inner.state.has_files;
        inner.served = job.after.generation;
        inner.documents = Some(Arc::clone(&job.after.documents));
        inner.state.managed.extend(job.managed.clone());
        let kept = still_rolled_back(&inner.state, job);
        let is_other = kept != inner.state.rolled_back;
        inner.state.rolled_back = kept;
        self.show_rolled_back(&inner.state);
        let texts = new_texts(&files, &job.after.documents);
        let texts: Vec<(String, String)> =
            texts.into_iter().map(|(digest, text)| (digest, text.to_owned())).collect();
        let mut entry = self.around.applied(job, files, &inner.state);
        if !is_same {
            self.audit.record(event(&entry));
        }
        if is_first {
            // The files of the newest generation are written as a whole.
            for delta in std::mem::take(&mut entry.files) {
                inner.state.files.extend(delta.after.map(|after| (delta.name, after)));
            }
            inner.state.has_files = true;
        }
        // A start that serves what was served before is no new generation.
        let entry = if is_same { None } else { Some(inner.state.add(entry)) };
        let mut batch =
            New { entry: entry.as_deref(), texts: &texts, managed: Some(&job.managed), ..New::default() };
        (batch.files, batch.rolled_back) = (is_first, is_other);
        let written = inner.append(batch);
        self.report(inner, written);
    }

    fn record_refused(&self, inner: &mut Inner, job: &Refused) {
        let entry = self.around.refused(job, inner.served, &inner.state);
        self.audit.record(event(&entry));
        let entry = inner.state.add(entry);
        let written = inner.append(New { entry: Some(&entry), ..New::default() });
        self.report(inner, written);
    }

    fn record_identical(&self, inner: &mut Inner, managed: BTreeMap<String, Managed>) {
        inner.state.managed.extend(managed.clone());
        let is_newer = |one: &RolledBackFile| managed.contains_key(&one.file);
        let rolled_back = inner.state.rolled_back.iter().any(is_newer);
        inner.state.rolled_back.retain(|one| !is_newer(one));
        self.show_rolled_back(&inner.state);
        let written = inner.append(New { managed: Some(&managed), rolled_back, ..New::default() });
        self.report(inner, written);
    }

    fn show_rolled_back(&self, state: &State) {
        let shown: Vec<RolledBackDocument> = state.rolled_back.iter().map(RolledBackDocument::from).collect();
        if self.status.read().rolled_back != shown {
            self.status.change(|status| status.rolled_back = shown);
        }
    }

    /// Ends what is known of rolled back documents: the control plane has taken what is served.
    pub(crate) fn published(&self) {
        let mut inner = lock(&self.inner);
        if inner.state.rolled_back.is_empty() {
            return;
        }
        inner.state.rolled_back.clear();
        self.show_rolled_back(&inner.state);
        let written = inner.append(New { rolled_back: true, ..New::default() });
        self.report(&mut inner, written);
    }

    fn report(&self, inner: &mut Inner, written: io::Result<()>) {
        if let Err(error) = written {
            inner.is_behind = true;
            let failure = Some(error.to_string());
            if inner.failure != failure {
                let message = "the history cannot be written; its newest generations are in memory only";
                complaint::complain("history", &error, message);
            }
            inner.failure = failure;
        } else if inner.log.is_some() && inner.failure.take().is_some() {
            tracing::info!("the history can be written again");
        }
        let oldest = inner.state.entries.iter().find_map(|entry| entry.generation());
        let shown = HistoryStatus { oldest, failure: inner.failure.clone() };
        if self.status.read().history.as_ref() != Some(&shown) {
            self.status.change(|status| status.history = Some(shown));
        }
    }

    /// Returns the directory.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Returns the newest change of each document of the control plane that was live here.
    pub(crate) fn managed(&self) -> BTreeMap<String, Managed> {
        lock(&self.inner).state.managed.clone()
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl From<&RolledBackFile> for RolledBackDocument {
    fn from(file: &RolledBackFile) -> Self {
        Self {
            file: file.file.clone(),
            generation: file.to,
            provider: file.managed.provider.clone(),
            change: file.managed.change.id.clone(),
            kind: file.managed.change.kind.clone(),
        }
    }
}
