//! The applier: takes configurations through all steps, one at a time.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::SystemTime;

use provider_api::RejectionClass;

use crate::apply::activator::Activator;
use crate::apply::build::Built;
use crate::apply::writes::Writes;
use crate::apply::{JournaledChange, Prepared, Trigger, Verdict};
use crate::config::LinkedPipeline;
use crate::diagnostics::logged::{SHOWN, counted, log_errors, log_warnings};
use crate::diagnostics::problem::Problems;
use crate::diagnostics::rejection::Rejection;
use crate::difference::Differences;
use crate::documents::layers::Layers;
use crate::documents::{Documents, Touched};
use crate::history::{Applied, Cause, History, Refused};
use crate::journal::Journal;
use crate::last_good::LastGood;
use crate::providers::Surroundings;
use crate::snapshot::Snapshot;
use crate::snapshot::published::Published;
use crate::status::{AttemptVerdict, Attempted, Desired, Effective, ProblemReport, StatusBoard, timestamp};
use crate::storage::digest::{Digest, full};
use crate::storage::failpoints::kill;

/// The only owner of the live configuration. No other type replaces it.
#[derive(Debug)]
pub(crate) struct Applier {
    pub(super) layers: Layers,
    pub(super) surroundings: Surroundings,
    pub(super) status: Arc<StatusBoard>,
    pub(super) activator: Activator,
    /// The documents that were read last, live or rejected. Unchanged files are taken from here instead of read again.
    pub(super) last_read: Arc<Documents>,
    /// The last rejection, with the digest of the rejected files. Cleared when the files are live again.
    pub(super) rejected: Option<(Digest, Rejection)>,
    pub(super) last_good: Arc<LastGood>,
    pub(super) history: Arc<History>,
    pub(crate) published: Published,
    /// The time until which the ends of the certificates are in the log.
    pub(super) certificates_at: SystemTime,
}

impl Applier {
    /// Reads the files and applies them. On any failure the previous configuration stays live.
    pub(crate) async fn apply(&mut self, touched: Touched, trigger: Trigger, cause: Cause) -> Verdict {
        let verdict = self.apply_files(touched, trigger, cause).await;
        if trigger == Trigger::Requested {
            self.examine_base().await;
        }
        match &verdict {
            Verdict::Applied { .. } | Verdict::Unchanged { .. } => self.settle_overlay().await,
            Verdict::Rejected(_) => self.report_overlay().await,
        }
        verdict
    }

    async fn apply_files(&mut self, touched: Touched, trigger: Trigger, cause: Cause) -> Verdict {
        let serving = self.published.snapshot();
        self.log_ends_of_certificates(&serving);
        let (read, built) = self.foresight().build(touched).await;
        let digest = read.as_ref().map_or_else(|| self.last_read.digest(), |read| read.digest());
        if let Some(read) = read {
            self.last_read = read;
        }
        self.status.change(|status| status.desired = desired(digest));
        let candidate: Arc<Snapshot> = match built {
            Ok(Built::Unchanged) => {
                if self.rejected.take().is_some() {
                    tracing::info!("the files are the live configuration again");
                }
                self.report_applied(&serving);
                return Verdict::Unchanged { generation: serving.generation };
            }
            Ok(Built::New(candidate)) => Arc::from(candidate),
            Err(rejection) => return self.reject(digest, rejection, trigger, cause),
        };
        if let Some(rejection) = self.known_failure(digest, trigger) {
            return Verdict::Rejected(rejection);
        }
        let live = match self.activator.prepare(&candidate, Some(&serving)).await {
            Ok(prepared) => self.go_live(prepared, &candidate, Writes::Nothing).await,
            Err(rejection) => Err(rejection),
        };
        match live {
            Ok(()) => {
                self.rejected = None;
                self.report_applied(&candidate);
                let generation = candidate.generation;
                let differences = differences(&serving, &candidate).await;
                let changed = in_log(&differences);
                tracing::info!(generation, %digest, changed, "configuration applied");
                log_removed(&candidate, &serving);
                log_new_warnings(&candidate, &serving);
                self.history.applied(Applied {
                    before: Some(serving),
                    after: candidate,
                    cause,
                    at: SystemTime::now(),
                    differences: Some(differences),
                    managed: BTreeMap::new(),
                    rolled_back: None,
                });
                Verdict::Applied { generation }
            }
            Err(rejection) => self.reject(digest, rejection, trigger, cause),
        }
    }

    /// Logs the certificates that have come near their end, or to it, since the last look. Those of a new configuration are among
    /// its warnings.
    fn log_ends_of_certificates(&mut self, serving: &Snapshot) {
        let now = self.surroundings.clock.now();
        let before = std::mem::replace(&mut self.certificates_at, now);
        let mut problems = Problems::default();
        for end in serving.certificates.iter().filter(|end| end.state(before) < end.state(now)) {
            end.warn(now, &mut problems);
        }
        log_warnings(&problems.warnings().collect::<Vec<_>>());
    }

    /// Returns the last rejection if the same files failed their activation before. Files that fail only once they are
    /// live must not be made live again on every poll, only when a reload is requested.
    fn known_failure(&self, digest: Digest, trigger: Trigger) -> Option<Rejection> {
        let (rejected, rejection) = self.rejected.as_ref()?;
        let was_live = matches!(rejection.class, RejectionClass::Probe | RejectionClass::Activate);
        let known =
            trigger != Trigger::Requested && *rejected == digest && was_live && !rejection.is_transient();
        known.then(|| rejection.clone())
    }

    /// Activates, publishes and commits `candidate`. Rolls it back on failure.
    ///
    /// # Errors
    /// The rejection by the application.
    pub(super) async fn go_live(
        &mut self,
        prepared: Box<dyn Prepared>,
        candidate: &Arc<Snapshot>,
        writes: Writes<'_>,
    ) -> Result<(), Rejection> {
        let changes = writes.changes();
        record_step(changes, Journal::activating).await;
        let activated = self.activator.activate(prepared, candidate).await?;
        if !changes.is_empty() {
            self.settle_displaced(changes).await;
        }
        record_step(changes, Journal::activated).await;
        if let Writes::Rollback(pending) = writes {
            self.record_live(pending).await;
        }
        kill("probed");
        self.published.publish(Arc::clone(candidate));
        self.activator.commit(activated).await;
        self.last_good.committed(Arc::clone(candidate));
        Ok(())
    }

    /// Records the rejection in the status and logs its problems.
    pub(super) fn reject(
        &mut self,
        digest: Digest,
        rejection: Rejection,
        trigger: Trigger,
        cause: Cause,
    ) -> Verdict {
        let class = rejection.class;
        // Each poll finds the same problems again. They are logged once, and once more for each requested reload. The same
        // files may fail for another cause than before.
        let texts = |rejection: &Rejection| -> Vec<String> {
            rejection.problems.sorted_errors().into_iter().map(ToString::to_string).collect()
        };
        let same = |(tried, before): &(Digest, Rejection)| {
            *tried == digest && before.class == class && texts(before) == texts(&rejection)
        };
        let known = trigger != Trigger::Requested && self.rejected.as_ref().is_some_and(same);
        if !known {
            let errors = rejection.problems.sorted_errors();
            if let [only] = errors[..] {
                tracing::error!(
                    %class, %digest,
                    "the configuration was rejected; the previous configuration stays live: {only}"
                );
            } else {
                let count = counted(errors.len(), "problem");
                tracing::error!(
                    %class, %digest,
                    "the configuration was rejected, {count}; the previous configuration stays live"
                );
                log_errors(&errors);
            }
            self.history.refused(Refused {
                cause,
                at: SystemTime::now(),
                digest: full(digest),
                class: class.to_string(),
                problem: rejection.first(),
                problems: errors.len(),
                files: self.edited_files(),
            });
            self.status.change(|status| {
                status.attempted = Some(Attempted {
                    digest: full(digest),
                    at: timestamp(SystemTime::now()),
                    verdict: AttemptVerdict::Rejected,
                    class: Some(class.to_string()),
                    problems: rejection
                        .problems
                        .sorted_errors()
                        .into_iter()
                        .map(ProblemReport::from)
                        .collect(),
                });
            });
        }
        self.rejected = Some((digest, rejection.clone()));
        Verdict::Rejected(rejection)
    }

    /// Returns the files that differ from those that are served, the first of them.
    fn edited_files(&self) -> Vec<String> {
        let serving = self.published.snapshot();
        let changed = self.last_read.changed_files(&serving.documents);
        let edited = changed.filter(|(_, before, after)| {
            before.map(|before| before.digest) != after.map(|after| after.digest)
        });
        edited.take(SHOWN).map(|(name, _, _)| name.to_owned()).collect()
    }

    /// Reports `snapshot` as live in the status.
    pub(super) fn report_applied(&self, snapshot: &Snapshot) {
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
                verdict: AttemptVerdict::Applied,
                class: None,
                problems: Vec::new(),
            });
            let control_plane = snapshot.config.primary.address.clone();
            if let (Some(before), Some(sync)) = (&status.effective, &mut status.sync)
                && before.control_plane != control_plane
            {
                // What another control plane has answered is no evidence for this one.
                sync.heard_at = None;
            }
            status.effective = Some(Effective {
                generation: snapshot.generation,
                digest: full(digest),
                since,
                control_plane,
                warnings: snapshot.warnings.iter().map(ProblemReport::from).collect(),
            });
        });
    }

    /// Returns the layers of the files.
    pub(crate) fn layers(&self) -> &Layers {
        &self.layers
    }

    /// Returns the documents that were read last, live or rejected.
    pub(crate) fn documents(&self) -> &Documents {
        &self.last_read
    }
}

/// Returns in one line what an applied configuration has changed. All of it is in the log at the level `debug`.
pub(super) fn in_log(differences: &Differences) -> String {
    if tracing::enabled!(tracing::Level::DEBUG) {
        differences.lines().for_each(|line| tracing::debug!("{line}"));
    }
    differences.line()
}

/// Compares two configurations, beside the requests: many files may differ.
pub(super) async fn differences(before: &Arc<Snapshot>, after: &Arc<Snapshot>) -> Differences {
    let (before, after) = (Arc::clone(before), Arc::clone(after));
    let work = move || Differences::between(Some(&before), &after);
    tokio::task::spawn_blocking(work).await.unwrap_or_default()
}

/// Logs the pipelines and meshes that the previous configuration had and this one has not.
pub(super) fn log_removed(candidate: &Snapshot, before: &Snapshot) {
    // Both are in the order of their names, and share most pipelines.
    let mut now = candidate.config.pipelines.iter().peekable();
    let is_gone = |old: &&Arc<LinkedPipeline>| {
        if now.next_if(|new| Arc::ptr_eq(new, old)).is_some() {
            return false;
        }
        while now.next_if(|new| new.pipeline.name < old.pipeline.name).is_some() {}
        now.next_if(|new| new.pipeline.name == old.pipeline.name).is_none()
    };
    let gone: Vec<_> =
        before.config.pipelines.iter().filter(is_gone).map(|linked| &linked.pipeline).collect();
    for pipeline in gone.iter().take(SHOWN) {
        let file = pipeline.place.file();
        let emptied = candidate.documents.text(file).is_some_and(|text| text.trim().is_empty());
        let reason = if emptied { "its file is empty" } else { "no file defines it" };
        tracing::warn!(pipeline = pipeline.name, file, reason, "a pipeline is gone");
    }
    if gone.len() > SHOWN {
        tracing::warn!("and {} are gone", counted(gone.len() - SHOWN, "more pipeline"));
    }
}

/// Logs the warnings that the previous configuration did not have.
fn log_new_warnings(candidate: &Snapshot, before: &Snapshot) {
    let known: HashSet<String> = before.warnings.iter().map(ToString::to_string).collect();
    let warnings = candidate.warnings.iter().map(ToString::to_string);
    log_warnings(&warnings.filter(|warning| !known.contains(warning)).collect::<Vec<_>>());
}

/// Records the progress of changes in the journal. A failure is only logged: recovery after a kill then starts from
/// the step recorded before, which restores the files and applies the changes again.
async fn record_step(changes: &[JournaledChange], step: fn(&Journal, &[u64]) -> std::io::Result<()>) {
    let Some(first) = changes.first() else { return };
    let sequences: Vec<u64> = changes.iter().map(|change| change.sequence).collect();
    if let Err(error) = first.journal.write(move |journal| step(journal, &sequences)).await {
        tracing::warn!(%error, "the journal cannot be written");
    }
}

/// Returns the status entry for files that were just read.
pub(super) fn desired(digest: Digest) -> Desired {
    Desired { digest: full(digest), read_at: timestamp(SystemTime::now()) }
}
