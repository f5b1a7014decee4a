//! The applier: takes configurations through all steps, one after the other.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use provider_api::RejectionClass;

use crate::apply::activator::Activator;
use crate::apply::build::{Built, build};
use crate::apply::{JournaledChange, Prepared, Trigger, Verdict};
use crate::diagnostics::rejection::Rejection;
use crate::documents::{Documents, Touched};
use crate::journal::Journal;
use crate::last_good::LastGood;
use crate::providers::Surroundings;
use crate::snapshot::Snapshot;
use crate::snapshot::published::Published;
use crate::status::{AttemptVerdict, Attempted, Desired, Effective, ProblemReport, StatusBoard, timestamp};
use crate::storage::digest::{Digest, full};
use crate::storage::failpoints::kill;

/// The only door through which a configuration becomes what is served.
#[derive(Debug)]
pub(crate) struct Applier {
    pub(super) config_path: PathBuf,
    pub(super) surroundings: Surroundings,
    pub(super) status: Arc<StatusBoard>,
    pub(super) activator: Activator,
    /// The tree read last, served or not: what was not touched since is not read again.
    pub(super) read: Arc<Documents>,
    /// The last rejection, as long as the files are what was rejected.
    pub(super) rejected: Option<(Digest, Rejection)>,
    pub(super) last_good: Arc<LastGood>,
    pub(crate) published: Published,
}

impl Applier {
    /// Applies what the files say now. Whatever goes wrong, what was served is served on.
    pub(crate) async fn apply(&mut self, touched: Touched, trigger: Trigger) -> Verdict {
        let serving = self.published.snapshot();
        let (surroundings, before) = (self.surroundings.clone(), Arc::clone(&serving));
        let read = Some(Arc::clone(&self.read));
        let (read, built) = build(self.config_path.clone(), surroundings, read, Some(before), touched).await;
        let digest = read.as_ref().map_or_else(|| self.read.digest(), |read| read.digest());
        if let Some(read) = read {
            self.read = read;
        }
        self.status.change(|status| status.desired = desired(digest));
        let candidate: Arc<Snapshot> = match built {
            Ok(Built::Same) => {
                if self.rejected.take().is_some() {
                    tracing::info!("the files are again what is served");
                }
                self.note_applied(&serving);
                return Verdict::Unchanged { generation: serving.generation };
            }
            Ok(Built::New(candidate)) => Arc::from(candidate),
            Err(rejection) => return self.reject(digest, rejection, trigger),
        };
        if let Some(rejection) = self.known_failure(digest, trigger) {
            return Verdict::Rejected(rejection);
        }
        let live = match self.activator.prepare(&candidate, Some(&serving)).await {
            Ok(prepared) => self.go_live(prepared, &candidate, None).await,
            Err(rejection) => Err(rejection),
        };
        match live {
            Ok(()) => {
                self.rejected = None;
                self.note_applied(&candidate);
                let generation = candidate.generation;
                tracing::info!(generation, %digest, "configuration applied");
                warn_of_news(&candidate, &serving);
                Verdict::Applied { generation }
            }
            Err(rejection) => self.reject(digest, rejection, trigger),
        }
    }

    /// The rejection of files that were live for a moment and did not prove it. They are not made live again and again
    /// unless somebody asks for it.
    fn known_failure(&self, digest: Digest, trigger: Trigger) -> Option<Rejection> {
        let (rejected, rejection) = self.rejected.as_ref()?;
        let was_live = matches!(rejection.class, RejectionClass::Probe | RejectionClass::Activate);
        let known = trigger != Trigger::Asked && *rejected == digest && was_live && !rejection.is_transient();
        known.then(|| rejection.clone())
    }

    pub(super) fn root(&self) -> PathBuf {
        self.config_path.parent().map(std::path::Path::to_owned).unwrap_or_default()
    }

    /// Activates what was prepared for `candidate`, publishes it, and commits. On failure it has been rolled back.
    ///
    /// # Errors
    /// The rejection by the application.
    pub(super) async fn go_live(
        &mut self,
        prepared: Box<dyn Prepared>,
        candidate: &Arc<Snapshot>,
        change: Option<&JournaledChange>,
    ) -> Result<(), Rejection> {
        note(change, Journal::activating).await;
        let activated = self.activator.activate(prepared, candidate).await?;
        note(change, Journal::activated).await;
        kill("probed");
        self.published.publish(Arc::clone(candidate));
        self.activator.commit(activated).await;
        self.last_good.committed(Arc::clone(candidate));
        Ok(())
    }

    pub(super) fn reject(&mut self, digest: Digest, rejection: Rejection, trigger: Trigger) -> Verdict {
        let class = rejection.class;
        // Looking again finds the same again; it is said once, unless somebody asked.
        let same = |(tried, before): &(Digest, Rejection)| *tried == digest && before.class == class;
        let known = trigger != Trigger::Asked && self.rejected.as_ref().is_some_and(same);
        if !known {
            tracing::error!(%class, %digest, "configuration rejected; what was served is served on");
            for problem in rejection.problems.sorted_errors() {
                tracing::error!("{problem}");
            }
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
                verdict: AttemptVerdict::Applied,
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

    /// The tree read last, served or not.
    pub(crate) fn read(&self) -> &Documents {
        &self.read
    }
}

/// Logs the warnings that the configuration before did not have.
fn warn_of_news(candidate: &Snapshot, before: &Snapshot) {
    let known: HashSet<String> = before.warnings.iter().map(ToString::to_string).collect();
    for warning in candidate.warnings.iter().map(ToString::to_string) {
        if !known.contains(&warning) {
            tracing::warn!("{warning}");
        }
    }
}

/// Notes how far a change has come. A note that cannot be written takes nothing back: after a kill the change is taken
/// back and tried again, as the note before says.
async fn note(change: Option<&JournaledChange>, step: fn(&Journal, u64) -> std::io::Result<()>) {
    let Some(change) = change else { return };
    let sequence = change.sequence;
    if let Err(error) = change.journal.write(move |journal| step(journal, sequence)).await {
        tracing::warn!(%error, "the journal cannot be written");
    }
}

pub(super) fn desired(digest: Digest) -> Desired {
    Desired { digest: full(digest), read_at: timestamp(SystemTime::now()) }
}
