//! The predicted verdict and differences are those of the apply that follows, for a thousand random edits and changes.
#![cfg(feature = "local")]

use std::path::PathBuf;
use std::time::Duration;

use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::TestRunner;
use provider_api::{Change, ChangeHead, ChangeId, DocumentKind};
use tokio::sync::mpsc;

use super::*;
use crate::apply::{Activation, Activator, ChangeVerdict, Prepared, Pulse, Start, Trigger, Verdict};
use crate::audit::{Audit, Place};
use crate::config::Capabilities;
use crate::difference::{Differences, Kind, Sign};
use crate::history::{Cause, History, Opened};
use crate::journal::Journal;
use crate::last_good::{LastGood, Ring};
use crate::providers::SourceId;
use crate::snapshot::tests::incremental::{FILES, routes, text};
use crate::snapshot::tests::{CONFIG, surroundings, write};
use crate::status::StatusBoard;

/// An application that takes every configuration.
#[derive(Debug)]
struct TakesAll;

#[async_trait::async_trait]
impl Activation for TakesAll {
    fn capabilities(&self) -> Capabilities {
        Capabilities::new()
    }

    async fn prepare(
        &self,
        _: &Arc<Snapshot>,
        _: Option<&Arc<Snapshot>>,
    ) -> Result<Box<dyn Prepared>, Rejection> {
        Ok(Box::new(Self))
    }
}

#[async_trait::async_trait]
impl Prepared for TakesAll {
    async fn activate(&mut self) -> Result<(), Rejection> {
        Ok(())
    }

    async fn commit(self: Box<Self>) {}

    async fn rollback(self: Box<Self>) {}
}

/// A gateway on a directory that is edited, and the counts of what has happened.
struct Gateway {
    dir: tempfile::TempDir,
    applier: Applier,
    journal: Arc<Journal>,
    /// The texts of the configuration that is live.
    good: Vec<Option<String>>,
    seen: std::collections::BTreeMap<String, usize>,
}

impl Gateway {
    async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        for below in ["pipelines", "mesh", "transforms", "state"] {
            std::fs::create_dir(dir.path().join(below)).unwrap();
        }
        write(dir.path(), "config.toml", Some(&CONFIG.to_owned()));
        let surroundings = surroundings();
        let (status, clock) = (StatusBoard::new(), Arc::clone(&surroundings.clock));
        let (ring, _) = Ring::open(dir.path().join("state/ring"), None);
        let last_good =
            LastGood::new(ring, Arc::clone(&surroundings.resolutions), clock, Arc::clone(&status));
        let (config, state) = (dir.path().join("config.toml"), dir.path().join("state"));
        let layers = Layers::base_only(&config);
        let audit = Audit::new(Place::new(&state, &config, None), Arc::clone(&status));
        let history = Opened::open(state.join("history"), None);
        let origins = Arc::clone(&surroundings.origins);
        let history = History::new(history, layers.clone(), origins, Arc::clone(&status), audit);
        let start = Start {
            layers,
            surroundings: Surroundings {
                // One that can be written: changes are recorded in it.
                origins: crate::documents::origins::Origins::open(
                    &dir.path().join("state"),
                    &dir.path().join("config.toml"),
                ),
                state_dir: dir.path().join("state"),
                ..surroundings
            },
            status,
            last_good,
            history,
            rolled_back: None,
            activator: Activator::new(Arc::new(TakesAll), Duration::from_secs(60), Pulse::new()),
            saved: None,
        };
        let applier = start.start().await.unwrap();
        let journal = Journal::open(&dir.path().join("state/journal")).unwrap();
        let mut good = vec![None; FILES.len()];
        *good.last_mut().unwrap() = Some(CONFIG.to_owned());
        Self { dir, applier, journal, good, seen: Default::default() }
    }

    fn path(&self, file: &str) -> PathBuf {
        self.dir.path().join(file)
    }

    fn texts(&self) -> Vec<Option<String>> {
        FILES.iter().map(|file| std::fs::read_to_string(self.path(file)).ok()).collect()
    }

    fn count(&mut self, what: impl Into<String>) {
        *self.seen.entry(what.into()).or_default() += 1;
    }

    /// Foresees the files as they are, applies them, and compares.
    async fn apply(&mut self) {
        let foreseen = self.applier.foresight().answer(Asked::Files).await;
        let before = self.applier.published.snapshot();
        let verdict = self.applier.apply(Touched::Everything, Trigger::Requested, Cause::Edit).await;
        let after = self.applier.published.snapshot();
        match verdict {
            Verdict::Unchanged { .. } => assert_eq!(foreseen.verdict, Predicted::Unchanged),
            Verdict::Applied { .. } => {
                assert_eq!(foreseen.verdict, Predicted::Applied);
                self.good = self.texts();
                check_differences(&foreseen, &before, &after);
            }
            Verdict::Rejected(rejection) => {
                check_rejection(&foreseen, &rejection);
                assert!(Arc::ptr_eq(&before, &after));
            }
        }
        self.count(format!("edit {:?}", foreseen.verdict));
        self.count(format!("edit with differences: {}", !foreseen.differences.is_empty()));
    }

    /// Foresees a change, applies it, and compares.
    async fn change(&mut self, number: usize, kind: DocumentKind, document: String) {
        let before = self.applier.published.snapshot();
        let source = SourceId { provider: "local".parse().unwrap(), store: "one".into() };
        let id = ChangeId::new(format!("c{number}")).unwrap();
        let change = Change { id: id.clone(), kind: kind.clone(), document, attachments: Vec::new() };
        let head = ChangeHead { id, kind, created_at: None };
        let entry = self.journal.fetching(&source, &[head]).unwrap().remove(0);
        self.journal.fetched(&[(entry.sequence, change.clone())]).unwrap();
        self.journal.acknowledged(&[entry.sequence]).unwrap();
        let change = JournaledChange {
            sequence: entry.sequence,
            change: Arc::new(change),
            instance: before.config.primary.identity().into(),
            journal: Arc::clone(&self.journal),
            targets: Vec::new(),
            before: Vec::new(),
            tries: 0,
        };
        let foreseen = self.applier.foresight().answer(Asked::Change(Box::new(change.clone()))).await;
        let (verdicts, mut decided) = mpsc::unbounded_channel();
        self.applier.apply_changes(vec![change], &verdicts).await;
        let after = self.applier.published.snapshot();
        let (_, verdict) = decided.try_recv().unwrap();
        match verdict {
            ChangeVerdict::Applied if Arc::ptr_eq(&before, &after) => {
                assert_eq!(foreseen.verdict, Predicted::Unchanged);
            }
            ChangeVerdict::Applied => {
                assert_eq!(foreseen.verdict, Predicted::Applied, "{foreseen:?}");
                let change = foreseen.change.as_ref().unwrap();
                assert!(!change.writes.is_empty(), "{foreseen:?}");
                assert!(change.writes.iter().all(|file| self.path(file).exists()), "{foreseen:?}");
                self.good = self.texts();
                check_differences(&foreseen, &before, &after);
            }
            ChangeVerdict::Rejected(rejection, _) => check_rejection(&foreseen, &rejection),
            ChangeVerdict::Superseded => assert_eq!(foreseen.verdict, Predicted::Superseded),
            ChangeVerdict::Deferred(reason) => {
                assert_eq!(
                    (foreseen.verdict, foreseen.reason.as_ref()),
                    (Predicted::Deferred, Some(&reason))
                );
            }
        }
        self.count(format!("change {:?}", foreseen.verdict));
    }
}

fn check_rejection(foreseen: &Foreseen, rejection: &Rejection) {
    assert_eq!(foreseen.verdict, Predicted::Rejected, "{rejection}");
    assert_eq!(foreseen.class, Some(rejection.class.to_string()));
    let messages = |problem: &crate::status::ProblemReport| (problem.key.clone(), problem.message.clone());
    let happened: Vec<_> = rejection
        .problems
        .sorted_errors()
        .into_iter()
        .map(|one| (one.key.clone(), one.message.clone()))
        .collect();
    assert_eq!(foreseen.problems.iter().map(messages).collect::<Vec<_>>(), happened);
}

/// Checks the differences against what the two configurations are, each by itself.
fn check_differences(foreseen: &Foreseen, before: &Arc<Snapshot>, after: &Arc<Snapshot>) {
    let foreseen_ones = &foreseen.differences;
    assert_eq!(*foreseen_ones, Differences::between(Some(before), after));
    // Two snapshots that share nothing have the same differences.
    let alone = |snapshot: &Snapshot| {
        let saved = snapshot.documents.texts().map(|(name, text)| (name.to_owned(), text.to_owned()));
        let loaded = Documents::from_saved(snapshot.documents.config_path(), &saved.collect());
        Snapshot::build(Arc::new(loaded.documents), loaded.problems, 1, &surroundings(), None).unwrap()
    };
    let (lone_before, lone_after) = (alone(before), alone(after));
    let whole = Differences::between(Some(&lone_before), &lone_after);
    assert_eq!(*foreseen_ones, whole);
    // What is said to come and go makes one list of names of the other.
    let mut names: Vec<&str> = before.pipelines().map(|pipeline| pipeline.name()).collect();
    for one in foreseen_ones.differences.iter().filter(|one| one.kind == Kind::Pipeline) {
        match one.sign {
            Sign::Added => names.push(&one.name),
            Sign::Removed => names.retain(|name| *name != one.name),
            Sign::Changed => assert!(names.contains(&one.name.as_str()), "{one:?}"),
        }
    }
    names.sort_unstable();
    assert_eq!(names, after.pipelines().map(|pipeline| pipeline.name()).collect::<Vec<_>>());
    if foreseen_ones.is_empty() {
        assert_eq!(routes(before), routes(after), "no difference, and requests go elsewhere");
    }
}

/// A document for a change.
fn document(runner: &mut TestRunner, number: usize) -> (DocumentKind, String) {
    let mut sample = |file: &'static str| loop {
        if let Some(text) = text(file).new_tree(runner).unwrap().current() {
            return text;
        }
    };
    match number % 8 {
        0 => (DocumentKind::Mesh, sample("mesh/m.toml")),
        1 => (DocumentKind::Transform, format!("{{\"version\": {}}}", number % 3)),
        2 => {
            let provider = if number.is_multiple_of(3) { "local" } else { "runbeam" };
            (DocumentKind::Gateway, format!("[proxy]\nprimary_provider = \"{provider}\"\n"))
        }
        3 => (DocumentKind::Pipeline, "[pipelines.broken\n".to_owned()),
        _ => (DocumentKind::Pipeline, sample("pipelines/a.toml")),
    }
}

#[tokio::test]
async fn predictions_come_true() {
    let mut gateway = Gateway::start().await;
    let mut runner = TestRunner::deterministic();
    for number in 0..1_000 {
        let draw = |runner: &mut TestRunner, most: usize| (0..most).new_tree(runner).unwrap().current();
        if number % 3 == 2 {
            let (kind, document) = document(&mut runner, number / 3);
            gateway.change(number, kind, document).await;
            continue;
        }
        for _ in 0..=draw(&mut runner, 3) {
            let file = FILES[draw(&mut runner, FILES.len())];
            let text = text(file).new_tree(&mut runner).unwrap().current();
            write(gateway.dir.path(), file, text.as_ref());
        }
        gateway.apply().await;
        // Most edits meet valid files, and some changes invalid ones.
        if gateway.applier.rejected.is_some() && draw(&mut runner, 4) > 0 {
            for (file, text) in FILES.iter().zip(gateway.good.clone()) {
                write(gateway.dir.path(), file, text.as_ref());
            }
            gateway.apply().await;
        }
    }
    let seen = &gateway.seen;
    for (what, least) in [
        ("edit Applied", 50),
        ("edit Rejected", 50),
        ("edit Unchanged", 20),
        ("change Applied", 20),
        ("change Rejected", 50),
        ("change Deferred", 5),
        ("edit with differences: true", 50),
    ] {
        assert!(seen.get(what).is_some_and(|count| *count >= least), "{what}: {seen:?}");
    }
}
