//! A model test: random changes, killed at random steps, compared with a model that is a map of files.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use jiff::Timestamp;
use proptest::prelude::*;
use provider_api::{Change, ChangeHead, ChangeId, DocumentKind, RejectionClass, RejectionReport};

use super::*;
use crate::apply::commit::Modes;
use crate::documents::edits::Edits;
use crate::documents::overlay;
use crate::journal::{Attempt, Before, Entry, Quarantine};
use crate::providers::SourceId;

/// The step after which the process is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Killed {
    Seen,
    Fetched,
    Acknowledged,
    Staged,
    /// After writing this many of its files.
    Writing(usize),
    Committed,
    Published,
    Probed,
    /// Never killed.
    Never,
}

/// One change of some pipelines, and its fate.
#[derive(Clone, Debug)]
struct Life {
    files: Vec<usize>,
    killed: Killed,
    good: bool,
    /// A file that is edited by hand after the kill.
    edited: Option<usize>,
    /// Set if the directory of the configuration is read-only for the gateway.
    read_only: bool,
}

fn lives() -> impl Strategy<Value = Vec<Life>> {
    use Killed::*;
    let killed = prop_oneof![
        Just(Seen),
        Just(Fetched),
        Just(Acknowledged),
        Just(Staged),
        (0_usize..3).prop_map(Writing),
        Just(Committed),
        Just(Published),
        Just(Probed),
        Just(Never)
    ];
    let files = proptest::sample::subsequence(vec![0, 1, 2], 1..=3);
    let life = (files, killed, any::<bool>(), proptest::option::weighted(0.3, 0_usize..3), any::<bool>());
    let life = life.prop_map(|(files, killed, good, edited, read_only)| Life {
        files,
        killed,
        good,
        edited,
        read_only,
    });
    proptest::collection::vec(life, 1..8)
}

struct World {
    dir: tempfile::TempDir,
    /// The expected files.
    model: BTreeMap<String, String>,
    source: SourceId,
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let config = "[proxy]\nid = \"edge\"\nprimary_provider = \"local\"\n";
        fs::write(dir.path().join("config.toml"), config).unwrap();
        fs::create_dir(dir.path().join("pipelines")).unwrap();
        let model = BTreeMap::from([("config.toml".to_owned(), config.to_owned())]);
        let source = SourceId { provider: "runbeam".parse().unwrap(), store: "one".into() };
        Self { dir, model, source }
    }

    fn config(&self) -> PathBuf {
        self.dir.path().join("config.toml")
    }

    fn state(&self) -> PathBuf {
        self.dir.path().join("state")
    }

    fn layers(&self) -> Layers {
        Layers::open(&self.state(), &self.config())
    }

    fn documents(&self) -> Documents {
        Documents::load(&self.layers(), None, None, &Touched::Everything).documents
    }

    /// Recovers, and opens the journal. A process that another test starts holds the locks of this one until its `exec`.
    fn restarted(&self) -> Arc<Journal> {
        let open = || {
            let recovered = recover_once(&self.config(), &self.state())?;
            match (recovered.journal, recovered.journal_error) {
                (Some(journal), _) => Ok(journal),
                (None, Some(error)) => Err(error),
                (None, None) => Journal::open(&journal_directory(&self.state(), "edge")),
            }
        };
        let until_free = async {
            loop {
                match open() {
                    Err(error) if is_locked(&error) => tokio::time::sleep(RETRY_INTERVAL).await,
                    opened => return opened,
                }
            }
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let opened = runtime.block_on(async { tokio::time::timeout(TAKE_TIMEOUT, until_free).await });
        opened.unwrap().unwrap()
    }

    /// Runs one change up to its kill, and after a restart to its end.
    fn live(&mut self, n: usize, life: &Life) {
        let mut journal = self.restarted();
        let edits = self.edits(n, life);
        if self.until_killed(&journal, n, life, &edits) {
            drop(journal);
            journal = self.killed(n, life, &edits);
            let entry = self.entry(&journal, n);
            if entry.settlement.is_none() && entry.change().is_some() {
                self.until_killed(&journal, n, &Life { killed: Killed::Never, ..life.clone() }, &edits);
            }
        }
        let entry = self.entry(&journal, n);
        assert!(entry.phase.before().is_none(), "a change is half applied: {entry:?}");
        if life.killed > Killed::Seen {
            assert!(entry.settlement.is_some() && entry.is_undelivered(), "no verdict: {entry:?}");
        }
        self.check();
    }

    fn edits(&self, n: usize, life: &Life) -> Edits {
        let mut edits = Edits::default();
        for file in &life.files {
            edits.insert(name(*file), format!("[pipelines.p{file}]\ndescription = \"change {n}\"\n"));
            if life.read_only || self.layers().is_overlaid(&name(*file)) {
                edits.overlay(name(*file));
            }
        }
        edits
    }

    /// Runs a change until it is killed or done. Returns true when it was killed.
    fn until_killed(&mut self, journal: &Journal, n: usize, life: &Life, edits: &Edits) -> bool {
        let killed = |at: Killed| life.killed == at;
        let known = journal.find(&self.source, &id(n)).filter(|entry| entry.change().is_some());
        let sequence = match known {
            Some(known) => known.sequence,
            None => {
                let head = ChangeHead { id: id(n), kind: DocumentKind::Pipeline, created_at: None };
                let sequence = journal.fetching(&self.source, &[head]).unwrap()[0].sequence;
                if killed(Killed::Seen) {
                    return true;
                }
                let document = "x".to_owned();
                let change =
                    Change { id: id(n), kind: DocumentKind::Pipeline, document, attachments: Vec::new() };
                journal.fetched(&[(sequence, change)]).unwrap();
                sequence
            }
        };
        if killed(Killed::Fetched) {
            return true;
        }
        journal.acknowledged(&[sequence]).unwrap();
        if killed(Killed::Acknowledged) {
            return true;
        }
        let layers = self.layers();
        let origins = Origins::open(&self.state(), &self.config());
        layers.clear(edits.iter().map(|(name, _)| name), &origins, Timestamp::UNIX_EPOCH);
        let documents = self.documents();
        let before = commit::before(&layers, &|name| documents.text(name), edits).unwrap();
        journal.staged(&[(sequence, before.clone())]).unwrap();
        if killed(Killed::Staged) {
            return true;
        }
        let digest = |file: &Before| file.overlay.as_ref().map(|base| base.digest.clone());
        let writes = before.iter().filter_map(|file| Some((&*file.name, digest(file)?, write_of(file, n))));
        layers.record(writes).unwrap();
        if let Killed::Writing(count) = life.killed {
            for (name, text) in edits.iter().take(count) {
                let overlay = layers.overlay_path(name).filter(|_| edits.is_overlaid(name));
                let path = overlay.unwrap_or_else(|| layers.base_path(name));
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                atomic_file::write(&path, text.as_bytes(), 0o644).unwrap();
            }
            return true;
        }
        let save = |name: &str, edit: &[u8]| journal.save_replaced(sequence, name, edit);
        commit::write(&layers, edits, &before, Modes { sensitive: &Default::default(), keeps: false }, &save)
            .unwrap();
        journal.committed(&[sequence]).unwrap();
        if killed(Killed::Committed) {
            return true;
        }
        journal.activating(&[sequence]).unwrap();
        if killed(Killed::Published) {
            return true;
        }
        if life.good {
            commit::settle_displaced(&layers, &before, &save).unwrap();
            journal.activated(&[sequence]).unwrap();
            self.take(edits);
            if killed(Killed::Probed) {
                return true;
            }
            journal.settle(vec![verdict(sequence, Settlement::Applied, None)]).unwrap();
        } else {
            assert!(commit::restore(&layers, &before, &save));
            let attempt = Attempt::new(RejectionClass::Probe, "digest".to_owned(), Vec::new());
            journal.settle(vec![verdict(sequence, rejected(), Quarantine::after(None, attempt, 0))]).unwrap();
        }
        false
    }

    /// Checks the state after the kill: all of the change or nothing of it is written, and no edit is lost.
    fn killed(&mut self, n: usize, life: &Life, edits: &Edits) -> Arc<Journal> {
        if let Some(file) = life.edited {
            let text = format!("[pipelines.p{file}]\ndescription = \"by hand after {n}\"\n");
            fs::write(self.dir.path().join(name(file)), &text).unwrap();
            self.model.insert(name(file), text);
        }
        // Temporary files that the kill left: of a configuration file, of the first contact and of the origins.
        let contact = journal_directory(&self.state(), "edge").parent().unwrap().to_owned();
        let origins = Origins::directory(&self.state(), &self.config());
        let left =
            [self.dir.path().join("pipelines"), contact, origins].map(|dir| dir.join(".harmony-x.tmp"));
        for file in &left {
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, "half").unwrap();
        }
        let journal = self.restarted();
        assert!(left.iter().all(|file| !file.exists()), "{left:?}");
        self.check();
        let entry = self.entry(&journal, n);
        let live = life.good && life.killed >= Killed::Probed;
        assert_eq!(entry.settlement == Some(Settlement::Applied), live, "{entry:?} of {edits:?}");
        // An edit by hand after the kill is newer: the change must not replace it.
        let staged = (Killed::Staged..=Killed::Published).contains(&life.killed);
        let superseded = staged && life.edited.is_some_and(|file| life.files.contains(&file));
        assert_eq!(entry.settlement.is_some(), live || superseded, "{entry:?}");
        journal
    }

    fn entry(&self, journal: &Journal, n: usize) -> Arc<Entry> {
        journal.find(&self.source, &id(n)).unwrap()
    }

    fn take(&mut self, edits: &Edits) {
        self.model.extend(edits.iter().map(|(name, text)| (name.to_owned(), text.to_owned())));
    }

    /// Checks that the files of both layers are those of the model, and no others, also once the overlay is settled.
    fn check(&self) {
        let found = || -> BTreeMap<String, String> {
            let documents = self.documents();
            documents.texts().map(|(name, text)| (name.to_owned(), text.to_owned())).collect()
        };
        assert_eq!(found(), self.model);
        let origins = Origins::open(&self.state(), &self.config());
        self.layers().settle(&origins, Timestamp::UNIX_EPOCH);
        assert_eq!(found(), self.model);
        let report = self.layers().report();
        let stale = report.into_iter().flat_map(|report| report.entries).find(|entry| entry.displaced);
        assert!(stale.is_none(), "{stale:?}");
    }
}

fn write_of(file: &Before, n: usize) -> overlay::Write {
    let (digest, kind) = (file.written.clone(), "pipeline".to_owned());
    overlay::Write { digest, change: id(n).to_string(), kind, at: Timestamp::UNIX_EPOCH }
}

fn name(file: usize) -> String {
    format!("pipelines/p{file}.toml")
}

fn id(n: usize) -> ChangeId {
    ChangeId::new(format!("{n:04}")).unwrap()
}

fn verdict(sequence: u64, settlement: Settlement, quarantine: Option<Quarantine>) -> Verdict {
    Verdict { sequence, settlement, quarantine }
}

fn rejected() -> Settlement {
    RejectionReport { class: RejectionClass::Probe, summary: "no".to_owned(), problems: Vec::new() }.into()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn kill_leaves_all_or_nothing(lives in lives()) {
        let mut world = World::new();
        for (n, life) in lives.iter().enumerate() {
            world.live(n, life);
        }
    }
}
