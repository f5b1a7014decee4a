//! Tests of the sync loop on a paused clock.

mod expiry;
mod paused;
mod poison;
mod resume;
mod waiting;

use std::num::NonZeroUsize;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::SystemTime;

use provider_api::{
    Change, ChangeHead, ChangeId, ChangeStatus, ConfigSource, CredentialDetails, DocumentKind, Enrolled,
    Enrollment, EnrollmentRequest, MachineCredential, MeshAuth, Pending, ProviderName, Publisher, Resolver,
    Retention, SystemClock, async_trait,
};

use tokio::sync::{oneshot, watch};

use super::*;
use crate::apply::ChangeVerdict;
use crate::providers::SourceId;

/// A provider with scripted responses that records the time of each call.
#[derive(Debug)]
struct Scripted {
    name: ProviderName,
    cadence: Cadence,
    asked: Mutex<Vec<Instant>>,
    count: watch::Sender<usize>,
    script: Mutex<Vec<Answer>>,
    standing: Mutex<CredentialStatus>,
    reports: Mutex<Vec<ChangeStatus>>,
    fetched: AtomicUsize,
    /// The change whose reports fail, and the number of failed reports.
    deaf_to: Mutex<Option<&'static str>>,
    unheard: AtomicUsize,
}

#[derive(Clone, Debug)]
enum Answer {
    Nothing,
    Change(&'static str),
    Away(Option<u64>),
    Refused,
    Panics,
    /// Answers with nothing after so many seconds.
    Waits(u64),
}

impl Scripted {
    fn new(cadence: Cadence, script: impl IntoIterator<Item = Answer>) -> Arc<Self> {
        let mut script: Vec<Answer> = script.into_iter().collect();
        script.reverse();
        Arc::new(Self {
            name: "scripted".parse().unwrap(),
            cadence,
            asked: Mutex::default(),
            count: watch::channel(0).0,
            script: Mutex::new(script),
            standing: Mutex::new(valid()),
            reports: Mutex::default(),
            fetched: AtomicUsize::new(0),
            deaf_to: Mutex::default(),
            unheard: AtomicUsize::new(0),
        })
    }

    /// Returns the intervals between the polls.
    fn waits(&self) -> Vec<Duration> {
        let asked = self.asked.lock().unwrap();
        asked.windows(2).map(|pair| pair[1] - pair[0]).collect()
    }

    async fn until_asked(&self, times: usize) {
        self.count.subscribe().wait_for(|count| *count >= times).await.unwrap();
    }
}

fn valid() -> CredentialStatus {
    CredentialStatus::Valid { expires_at: Some(SystemTime::UNIX_EPOCH) }
}

impl Provider for Scripted {
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
        Some(self)
    }
    fn publisher(&self) -> Option<&dyn Publisher> {
        None
    }
    fn retention(&self) -> Option<&dyn Retention> {
        None
    }
}

#[async_trait]
impl ConfigSource for Scripted {
    async fn pending(&self) -> Result<Pending> {
        self.asked.lock().unwrap().push(Instant::now());
        self.count.send_modify(|count| *count += 1);
        let answer = self.script.lock().unwrap().pop().unwrap_or(Answer::Nothing);
        match answer {
            Answer::Nothing => Ok(Pending::Changes(Vec::new())),
            Answer::Change(id) => Ok(Pending::Changes(vec![ChangeHead {
                id: ChangeId::new(id).unwrap(),
                kind: DocumentKind::Mesh,
                created_at: None,
            }])),
            Answer::Away(None) => Err(Error::unavailable("away")),
            Answer::Away(Some(seconds)) => {
                Err(Error::unavailable("away").with_retry_after(Duration::from_secs(seconds)))
            }
            Answer::Refused => {
                *self.standing.lock().unwrap() = CredentialStatus::Refused;
                Err(Error::unavailable("refused"))
            }
            Answer::Panics => panic!("from a provider"),
            Answer::Waits(seconds) => {
                tokio::time::sleep(Duration::from_secs(seconds)).await;
                Ok(Pending::Unchanged)
            }
        }
    }

    async fn fetch(&self, id: &ChangeId) -> Result<Change> {
        self.fetched.fetch_add(1, Ordering::SeqCst);
        Ok(Change {
            id: id.clone(),
            kind: DocumentKind::Mesh,
            document: "x".to_owned(),
            attachments: Vec::new(),
        })
    }

    async fn report(&self, id: &ChangeId, status: &ChangeStatus) -> Result<()> {
        if self.deaf_to.lock().unwrap().is_some_and(|deaf_to| deaf_to == id.as_str()) {
            self.unheard.fetch_add(1, Ordering::SeqCst);
            return Err(Error::unavailable("not heard"));
        }
        self.reports.lock().unwrap().push(status.clone());
        Ok(())
    }

    fn cadence(&self) -> Cadence {
        self.cadence
    }

    fn parallelism(&self) -> NonZeroUsize {
        NonZeroUsize::new(4).unwrap()
    }
}

#[async_trait]
impl Enrollment for Scripted {
    async fn enroll(&self, _: &EnrollmentRequest) -> Result<Enrolled> {
        Err(Error::invalid("not here"))
    }
    async fn adopt(&self, _: MachineCredential) -> Result<Enrolled> {
        Err(Error::invalid("not here"))
    }
    fn credential_status(&self) -> CredentialStatus {
        self.standing.lock().unwrap().clone()
    }
    fn credential_details(&self) -> CredentialDetails {
        CredentialDetails::default()
    }
}

/// Starts a sync loop for a provider; every change is valid.
struct Running {
    commands: mpsc::Sender<SyncCommand>,
    primary: watch::Sender<Option<PrimaryProvider>>,
    _journal: tempfile::TempDir,
    status: Arc<StatusBoard>,
    pause: Arc<PauseSwitch>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn follow(provider: &Arc<Scripted>, seed: u64) -> Running {
    follow_on(provider, seed, tempfile::tempdir().unwrap(), None)
}

/// Returns the provider as primary, with settings `settings`.
fn instance(provider: &Arc<Scripted>, settings: &str) -> PrimaryProvider {
    let provider: Arc<dyn Provider> = Arc::clone(provider) as _;
    primary(provider, settings)
}

fn primary(provider: Arc<dyn Provider>, settings: &str) -> PrimaryProvider {
    let source = SourceId { provider: provider.name().clone(), store: settings.into() };
    PrimaryProvider { provider, instance: settings.into(), source }
}

/// Starts a sync loop for a provider on an existing journal.
fn follow_on(
    provider: &Arc<Scripted>,
    seed: u64,
    directory: tempfile::TempDir,
    journal: Option<Arc<Journal>>,
) -> Running {
    follow_with(provider, seed, directory, journal, Arc::new(SystemClock))
}

fn follow_with(
    provider: &Arc<Scripted>,
    seed: u64,
    directory: tempfile::TempDir,
    journal: Option<Arc<Journal>>,
    clock: Arc<dyn Clock>,
) -> Running {
    let (commands, inbox) = mpsc::channel(16);
    let (apply, mut applied) = mpsc::channel(16);
    let (primary, receiver) = watch::channel(Some(instance(provider, "one")));
    let status = StatusBoard::new();
    let pause = Arc::new(PauseSwitch::open(&directory.path().join("journal"), Arc::clone(&status)));
    let parts = SyncParts {
        shared_journal: Default::default(),
        inbox,
        apply,
        primary: receiver,
        status: Arc::clone(&status),
        pause: Arc::clone(&pause),
        journal_directory: directory.path().to_owned(),
        journal,
        registry: provider_api::Registry::new(),
        push: None,
        history: crate::history::History::detached(),
        random: fastrand::Rng::with_seed(seed),
        clock,
    };
    tokio::spawn(async move {
        while let Some(command) = applied.recv().await {
            if let Command::Changes(changes, verdicts) = command {
                for change in changes {
                    let _ = verdicts.send((change.sequence, ChangeVerdict::Applied));
                }
            }
        }
    });
    let task = tokio::spawn(SyncLoop::new(parts).run());
    Running { commands, primary, _journal: directory, status, pause, task }
}

const EVERY: Cadence = Cadence::Every(Duration::from_secs(30));

#[tokio::test(start_paused = true)]
async fn polls_at_once_then_with_jitter() {
    let (provider, start) = (Scripted::new(EVERY, []), Instant::now());
    let _running = follow(&provider, 1);
    provider.until_asked(50).await;
    assert!(provider.asked.lock().unwrap()[0] - start < Duration::from_secs(1));
    let waits = provider.waits();
    let (low, high) = (Duration::from_secs(27), Duration::from_millis(33_100));
    assert!(waits.iter().all(|wait| (low..=high).contains(wait)), "{waits:?}");
    assert!(waits.iter().any(|wait| *wait < Duration::from_secs(29)), "{waits:?}");
    assert!(waits.iter().any(|wait| *wait > Duration::from_secs(31)), "{waits:?}");
}

#[tokio::test(start_paused = true)]
async fn waits_after_errors_are_random_below_bound() {
    let mut at_the_cap = Vec::new();
    for seed in 0..20 {
        let provider = Scripted::new(EVERY, vec![Answer::Away(None); 20]);
        let _running = follow(&provider, seed);
        provider.until_asked(20).await;
        for (failures, wait) in (1..).zip(provider.waits()) {
            let bound = Backoff::bound(failures);
            assert!(wait <= bound + Duration::from_millis(200), "failure {failures}: {wait:?}");
            if bound == Duration::from_secs(300) {
                at_the_cap.push(wait);
            }
        }
    }
    let below_half = at_the_cap.iter().filter(|wait| **wait < Duration::from_secs(150)).count();
    let share = below_half as f64 / at_the_cap.len() as f64;
    assert!((0.3..0.7).contains(&share), "{share} of {} waits", at_the_cap.len());
}

#[tokio::test(start_paused = true)]
async fn retry_after_is_obeyed() {
    let provider = Scripted::new(EVERY, [Answer::Away(Some(120)), Answer::Away(None), Answer::Nothing]);
    let _running = follow(&provider, 7);
    provider.until_asked(4).await;
    let waits = provider.waits();
    assert!((120.0..133.0).contains(&waits[0].as_secs_f64()), "{waits:?}");
    assert!(waits[1] <= Duration::from_secs(3), "{waits:?}");
    assert!((26.0..34.0).contains(&waits[2].as_secs_f64()), "{waits:?}");
}

#[tokio::test(start_paused = true)]
async fn refused_credential_is_tried_after_seconds_then_minutes() {
    let provider = Scripted::new(EVERY, vec![Answer::Refused; 12]);
    let _running = follow(&provider, 3);
    provider.until_asked(12).await;
    for (failures, wait) in (1..).zip(provider.waits()) {
        let (bound, slack) = (Backoff::bound(failures), Duration::from_millis(200));
        assert!(wait + slack >= bound / 2 && wait <= bound + slack, "refusal {failures}: {wait:?}");
    }
}

/// Refusals count by themselves, also after an outage.
#[tokio::test(start_paused = true)]
async fn refusals_count_by_themselves() {
    for outage in [1, 6, 12] {
        let script = [vec![Answer::Away(None); outage], vec![Answer::Refused; 4]].concat();
        let provider = Scripted::new(EVERY, script);
        let _running = follow(&provider, 3);
        provider.until_asked(outage + 4).await;
        for (refusals, wait) in (1..).zip(provider.waits().into_iter().skip(outage)) {
            let most = Backoff::bound(refusals) + Duration::from_millis(200);
            assert!(wait <= most, "after {outage} failures, refusal {refusals}: {wait:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn new_credential_ends_the_long_wait() {
    let provider = Scripted::new(EVERY, [vec![Answer::Refused; 10], vec![Answer::Nothing]].concat());
    let running = follow(&provider, 3);
    provider.until_asked(10).await;
    // Another process stores a new credential.
    *provider.standing.lock().unwrap() = valid();
    provider.until_asked(11).await;
    assert!(provider.waits()[9] <= CREDENTIAL_CHECK * 2, "{:?}", provider.waits());
    // A user authorizes the gateway through the management API.
    provider.script.lock().unwrap().push(Answer::Refused);
    provider.until_asked(12).await;
    running.commands.send(SyncCommand::Authorized).await.unwrap();
    provider.until_asked(13).await;
    assert!(provider.waits()[11] < Duration::from_secs(1), "{:?}", provider.waits());
}

#[tokio::test(start_paused = true)]
async fn on_demand_polls_on_request_only() {
    let provider = Scripted::new(Cadence::OnDemand, [Answer::Change("01A")]);
    let running = follow(&provider, 1);
    tokio::time::sleep(Duration::from_secs(24 * 3600)).await;
    assert!(provider.asked.lock().unwrap().is_empty());
    let (reply, report) = oneshot::channel();
    running.commands.send(SyncCommand::Now(reply)).await.unwrap();
    assert_eq!(report.await.unwrap().applied.len(), 1);
    tokio::time::sleep(Duration::from_secs(24 * 3600)).await;
    assert_eq!(provider.asked.lock().unwrap().len(), 1);
    assert_eq!(*provider.reports.lock().unwrap(), [ChangeStatus::Received, ChangeStatus::Applied]);
}

#[tokio::test(start_paused = true)]
async fn panic_of_a_provider_does_not_end_the_loop() {
    let provider = Scripted::new(EVERY, [Answer::Panics, Answer::Panics, Answer::Change("01A")]);
    let _running = follow(&provider, 1);
    provider.until_asked(4).await;
    assert_eq!(provider.fetched.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn relisted_change_repeats_its_verdict() {
    let provider = Scripted::new(EVERY, [Answer::Change("01A"), Answer::Change("01A"), Answer::Nothing]);
    let _running = follow(&provider, 1);
    provider.until_asked(3).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(provider.fetched.load(Ordering::SeqCst), 1);
    let applied =
        || provider.reports.lock().unwrap().iter().filter(|status| **status == ChangeStatus::Applied).count();
    assert_eq!(applied(), 2);
}
