//! A change that is always rejected, among 100 valid ones, during a day with restarts.

use std::collections::BTreeMap;

use provider_api::{Clock, RejectionClass};

use super::*;
use crate::diagnostics::problem::Problems;
use crate::diagnostics::rejection::Rejection;
use crate::journal::Attempt;
use crate::status::{Effective, timestamp};

/// A wall clock that follows the clock of tokio.
#[derive(Debug)]
struct Turned(Instant);

impl Clock for Turned {
    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000) + self.0.elapsed()
    }
}

/// A control plane that lists a change until it is applied, so a rejected change forever.
#[derive(Debug)]
struct Stubborn {
    name: ProviderName,
    pending: Mutex<Vec<ChangeId>>,
    fetched: Mutex<BTreeMap<String, usize>>,
}

#[async_trait]
impl ConfigSource for Stubborn {
    async fn pending(&self) -> Result<Pending> {
        let head = |id: &ChangeId| ChangeHead { id: id.clone(), kind: DocumentKind::Mesh, created_at: None };
        Ok(Pending::Changes(self.pending.lock().unwrap().iter().map(head).collect()))
    }
    async fn fetch(&self, id: &ChangeId) -> Result<Change> {
        *self.fetched.lock().unwrap().entry(id.to_string()).or_default() += 1;
        let (id, document) = (id.clone(), "x".to_owned());
        Ok(Change { id, kind: DocumentKind::Mesh, document, attachments: Vec::new() })
    }
    async fn report(&self, id: &ChangeId, status: &ChangeStatus) -> Result<()> {
        if *status == ChangeStatus::Applied {
            self.pending.lock().unwrap().retain(|waiting| waiting != id);
        }
        Ok(())
    }
    fn cadence(&self) -> Cadence {
        EVERY
    }
    fn parallelism(&self) -> NonZeroUsize {
        NonZeroUsize::new(8).unwrap()
    }
}

impl Provider for Stubborn {
    fn name(&self) -> &ProviderName {
        &self.name
    }
    fn source(&self) -> Option<&dyn ConfigSource> {
        Some(self)
    }
    fn resolver(&self) -> Option<&dyn Resolver> {
        None
    }
    fn mesh_auth(&self) -> Option<&dyn MeshAuth> {
        None
    }
    fn enrollment(&self) -> Option<&dyn Enrollment> {
        None
    }
    fn publisher(&self) -> Option<&dyn Publisher> {
        None
    }
    fn retention(&self) -> Option<&dyn Retention> {
        None
    }
}

const POISON: &str = "050";

/// An applier that accepts every change but the poison change. The configuration differs at each attempt.
#[derive(Debug, Default)]
struct Applied(Mutex<Vec<String>>);

impl Applied {
    fn judge(&self, id: &str, status: &StatusBoard, class: RejectionClass) -> ChangeVerdict {
        let mut applied = self.0.lock().unwrap();
        applied.push(id.to_owned());
        if id == POISON {
            let digest = status.read().effective.as_ref().unwrap().digest.clone();
            let trial = Attempt::new(class, digest, Vec::new());
            return ChangeVerdict::Rejected(Rejection::new(class, Problems::default()), Some(trial));
        }
        serve(status, applied.len());
        ChangeVerdict::Applied
    }

    fn times(&self, id: &str) -> usize {
        self.0.lock().unwrap().iter().filter(|one| *one == id).count()
    }
}

fn serve(status: &StatusBoard, n: usize) {
    status.change(|status| {
        let (digest, since) = (n.to_string(), timestamp(SystemTime::UNIX_EPOCH));
        status.effective =
            Some(Effective { generation: 1, digest, since, control_plane: None, warnings: Vec::new() });
    });
}

async fn a_day(class: RejectionClass) -> usize {
    let clock: Arc<dyn Clock> = Arc::new(Turned(Instant::now()));
    let pending = (0..100).map(|n| ChangeId::new(format!("{n:03}")).unwrap()).collect();
    let provider = Arc::new(Stubborn {
        name: "stubborn".parse().unwrap(),
        pending: Mutex::new(pending),
        fetched: Mutex::default(),
    });
    let (applied, journal) = (Arc::new(Applied::default()), tempfile::tempdir().unwrap());
    for restart in 0..12 {
        let (_commands, inbox) = mpsc::channel(16);
        let (apply, mut asked) = mpsc::channel(16);
        let followed = super::primary(Arc::clone(&provider) as _, "one");
        let (_primary, primary) = watch::channel(Some(followed));
        let status = StatusBoard::new();
        serve(&status, 1_000 + restart);
        let (applier, board) = (Arc::clone(&applied), Arc::clone(&status));
        let applying = tokio::spawn(async move {
            while let Some(command) = asked.recv().await {
                if let Command::Changes(changes, verdicts) = command {
                    for noted in changes {
                        let verdict = applier.judge(noted.change.id.as_str(), &board, class);
                        let _ = verdicts.send((noted.sequence, verdict));
                    }
                }
            }
        });
        let parts = SyncParts {
            shared_journal: Default::default(),
            inbox,
            apply,
            primary,
            status: Arc::clone(&status),
            pause: Arc::new(PauseSwitch::open(&journal.path().join("journal"), Arc::clone(&status))),
            journal_directory: journal.path().to_owned(),
            journal: None,
            registry: provider_api::Registry::new(),
            push: None,
            history: crate::history::History::detached(),
            random: fastrand::Rng::with_seed(restart as u64),
            clock: Arc::clone(&clock),
        };
        let following = tokio::spawn(SyncLoop::new(parts).run());
        if restart == 0 {
            // The other changes are live within one interval.
            tokio::time::sleep(Duration::from_secs(33)).await;
            let others = applied.0.lock().unwrap().iter().filter(|id| *id != POISON).count();
            assert_eq!(others, 99);
        }
        for minute in 0..120 {
            // An operator edits the files all the time.
            serve(&status, 10_000 * (restart + 1) + minute);
            tokio::time::sleep(Duration::from_secs(60)).await;
        }
        following.abort();
        applying.abort();
        let _ = (following.await, applying.await);
    }
    assert!(provider.fetched.lock().unwrap().values().all(|times| *times == 1), "a body is asked for once");
    let poison = applied.times(POISON);
    assert_eq!(applied.0.lock().unwrap().len() - poison, 99, "nothing is applied twice");
    poison
}

#[tokio::test(start_paused = true)]
async fn rejected_change_is_tried_four_times() {
    assert_eq!(a_day(RejectionClass::Validate).await, 4);
    assert_eq!(a_day(RejectionClass::Bind).await, 4);
}
