//! Tests of the journal.

use proptest::prelude::*;
use provider_api::{DocumentKind, RejectionClass, RejectionReport};

use super::*;
use crate::storage::digest::Digest;

fn source() -> SourceId {
    SourceId { provider: "runbeam".parse().unwrap(), store: "one".into() }
}

fn change(id: &str) -> Change {
    Change {
        id: ChangeId::new(id).unwrap(),
        kind: DocumentKind::Pipeline,
        document: "[pipelines.a]\n".to_owned(),
        attachments: Vec::new(),
    }
}

fn head(id: &str) -> ChangeHead {
    ChangeHead { id: ChangeId::new(id).unwrap(), kind: DocumentKind::Pipeline, created_at: None }
}

fn fetch(journal: &Journal, id: &str) -> Arc<Entry> {
    let seen = journal.fetching(&source(), &[head(id)]).unwrap().remove(0);
    journal.fetched(&[(seen.sequence, change(id))]).unwrap().remove(0)
}

fn report(journal: &Journal, sequence: u64) -> io::Result<()> {
    let reported = journal.get(sequence).unwrap().settlement.clone();
    journal.delivered(vec![Delivered { sequence, reported, delivery: Delivery::Reported }])
}

fn settle(
    journal: &Journal,
    sequence: u64,
    settlement: Settlement,
    quarantine: Option<Quarantine>,
) -> io::Result<()> {
    journal.settle(vec![Verdict { sequence, settlement, quarantine }])
}

fn rejected() -> Settlement {
    RejectionReport { class: RejectionClass::Parse, summary: "no".to_owned(), problems: Vec::new() }.into()
}

fn quarantine(file: &str) -> Option<Quarantine> {
    let targets = vec![Target { name: file.to_owned(), digest: None }];
    Quarantine::after(None, Attempt::new(RejectionClass::Validate, "digest".to_owned(), targets), 0)
}

#[test]
fn entries_survive_a_restart_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(dir.path()).unwrap();
    let first = fetch(&journal, "01A");
    let second = fetch(&journal, "01B");
    journal.acknowledged(&[first.sequence]).unwrap();
    settle(&journal, second.sequence, Settlement::Applied, None).unwrap();
    drop(journal);
    let reopened = Journal::open(dir.path()).unwrap();
    assert_eq!(reopened.unsettled().iter().map(|e| e.id.clone()).collect::<Vec<_>>(), ["01A"]);
    assert_eq!(reopened.unsettled()[0].change().unwrap(), change("01A"));
    assert!(reopened.unsettled()[0].acknowledged);
    let undelivered = reopened.undelivered();
    assert_eq!(undelivered.len(), 1);
    assert!(undelivered[0].change().is_none(), "the verdict drops the document");
    report(&reopened, second.sequence).unwrap();
    drop(reopened);
    let reopened = Journal::open(dir.path()).unwrap();
    assert!(reopened.undelivered().is_empty());
    assert!(reopened.find(&source(), &ChangeId::new("01B").unwrap()).is_some());
}

fn log_of(dir: &Path) -> PathBuf {
    dir.join("journal.log")
}

fn ids(journal: &Journal) -> Vec<String> {
    journal.all().iter().map(|entry| entry.id.clone()).collect()
}

/// A phase of many changes is one record after the other in one write, and a torn one is cut off, wherever it ends.
#[test]
fn torn_record_is_cut_off() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(dir.path()).unwrap();
    let sequences: Vec<u64> = ["01A", "01B"].map(|id| fetch(&journal, id).sequence).to_vec();
    let before = std::fs::metadata(log_of(dir.path())).unwrap().len() as usize;
    let states =
        |journal: &Journal| -> Vec<bool> { journal.all().iter().map(|entry| entry.acknowledged).collect() };
    journal.acknowledged(&sequences).unwrap();
    drop(journal);
    let whole = std::fs::read(log_of(dir.path())).unwrap();
    let first = before + whole[before..].iter().position(|byte| *byte == b'\n').unwrap() + 1;
    for end in before..=whole.len() {
        std::fs::write(log_of(dir.path()), &whole[..end]).unwrap();
        let journal = Journal::open(dir.path()).unwrap();
        assert_eq!(states(&journal), [end >= first, end == whole.len()], "{end} of {} bytes", whole.len());
        assert!(journal.all().iter().all(|entry| entry.change().is_some()));
        // What follows is intact.
        journal.acknowledged(&sequences).unwrap();
        drop(journal);
        assert_eq!(states(&Journal::open(dir.path()).unwrap()), [true, true]);
        assert!(!dir.path().join("journal.damaged").exists());
    }
}

#[test]
fn damaged_record_is_left_out() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(dir.path()).unwrap();
    for id in ["01A", "01B", "01C"] {
        fetch(&journal, id);
    }
    drop(journal);
    let text = std::fs::read_to_string(log_of(dir.path())).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let damaged: String =
        lines.iter().filter(|line| !line.contains("01B")).map(|line| format!("{line}\n")).collect();
    assert_ne!(damaged, text);
    let flipped = text.replace("\"id\":\"01B\"", "\"id\":\"01X\"");
    std::fs::write(log_of(dir.path()), flipped).unwrap();
    let reopened = Journal::open(dir.path()).unwrap();
    assert_eq!(ids(&reopened), ["01A", "01C"]);
    assert!(std::fs::read_to_string(dir.path().join("journal.damaged")).unwrap().contains("01X"));
    drop(reopened);
    std::fs::remove_file(dir.path().join("journal.damaged")).unwrap();
    assert_eq!(ids(&Journal::open(dir.path()).unwrap()), ["01A", "01C"]);
    assert!(!dir.path().join("journal.damaged").exists(), "it is reported once");
}

/// Later records do not repeat the document. It is fetched again while the provider lists the change; after that the change
/// is rejected, since a gateway that forgot it would say that it is in sync.
#[test]
fn change_without_its_document_is_not_forgotten() {
    for (received, expected) in [(false, Phase::Seen), (true, Phase::Settled)] {
        let dir = tempfile::tempdir().unwrap();
        let journal = Journal::open(dir.path()).unwrap();
        let sequence = fetch(&journal, "01A").sequence;
        if received {
            journal.announcing(&[sequence]).unwrap();
            journal.acknowledged(&[sequence]).unwrap();
        } else {
            journal.fetched(&[(sequence, change("01A"))]).unwrap();
        }
        drop(journal);
        let text = std::fs::read_to_string(log_of(dir.path())).unwrap();
        assert_eq!(text.matches("\"document\"").count(), 1);
        std::fs::write(log_of(dir.path()), text.replace("\"document\"", "\"documemt\"")).unwrap();
        for _ in 0..2 {
            let journal = Journal::open(dir.path()).unwrap();
            let entry = journal.get(sequence).unwrap();
            assert_eq!((&entry.phase, entry.is_undelivered()), (&expected, received));
            assert!(journal.unsettled().is_empty() && (received || entry.fetch_is_due(0)));
        }
    }
}

#[test]
fn unreadable_log_keeps_the_journal_closed() {
    let dir = tempfile::tempdir().unwrap();
    let path = log_of(dir.path());
    std::fs::create_dir(&path).unwrap();
    let error = Journal::open(dir.path()).unwrap_err().to_string();
    assert!(error.contains("journal.log") && error.contains("Is a directory"), "{error}");
    std::fs::remove_dir(&path).unwrap();
    std::fs::write(&path, log::line_of(b"{\"schema\":4}")).unwrap();
    let error = Journal::open(dir.path()).unwrap_err().to_string();
    assert!(error.contains("journal.log cannot be read: it has format version 4"), "{error}");
    assert!(path.exists());
    std::fs::remove_file(&path).unwrap();
    Journal::open(dir.path()).unwrap();
}

/// Writes entries as notes, as earlier versions did.
fn noted(dir: &Path, entries: &[Arc<Entry>]) {
    for entry in entries {
        let mut entry = Entry::clone(entry);
        entry.store = None;
        let sealed = crate::storage::sealed::seal(&notes::Note { schema: 2, entry: &entry }).unwrap();
        std::fs::write(notes::path_of(dir, &entry), sealed).unwrap();
    }
}

#[test]
fn notes_of_an_earlier_version_are_taken_over() {
    let (old, dir) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let journal = Journal::open(old.path()).unwrap();
    for id in ["01A", "01B", "01C"] {
        fetch(&journal, id);
    }
    let entries = journal.all();
    noted(dir.path(), &entries);
    let broken = dir.path().join("000000000002.note");
    let text = std::fs::read_to_string(&broken).unwrap().replace("pipelines.a", "pipelines.b");
    std::fs::write(&broken, text).unwrap();
    // Killed after the log was written, with all notes still there, as often as it happens.
    for _ in 0..2 {
        let taken = Journal::open(dir.path()).unwrap();
        assert_eq!(ids(&taken), ["01A", "01C"]);
        assert!(dir.path().join("000000000002.damaged").exists());
        taken.adopt(&source()).unwrap();
        let found = taken.find(&source(), &ChangeId::new("01C").unwrap()).unwrap();
        assert_eq!(found.change(), entries[2].change());
        assert!(!dir.path().join("000000000001.note").exists());
        noted(dir.path(), &[Arc::clone(&entries[0]), Arc::clone(&entries[2])]);
    }
    // An earlier version meets a note of a later one, and does not open the journal.
    let sentinel = std::fs::read(dir.path().join("log.note")).unwrap();
    assert!(matches!(notes::decode(&sentinel), Err(notes::ReadError::Unreadable(_))));
}

#[test]
fn unreadable_note_keeps_the_journal_closed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("000000000001.note");
    std::fs::create_dir(&path).unwrap();
    let error = Journal::open(dir.path()).unwrap_err().to_string();
    assert!(
        error.contains("000000000001.note cannot be read: it is a directory (Is a directory)"),
        "{error}"
    );
    std::fs::remove_dir(&path).unwrap();
    let body = "{\"schema\":3,\"entries\":\"of a later gateway\"}";
    std::fs::write(&path, format!("{:#}\n{body}\n", Digest::of(body.as_bytes()))).unwrap();
    let error = Journal::open(dir.path()).unwrap_err().to_string();
    assert!(error.contains("000000000001.note cannot be read: it has format version 3"), "{error}");
    assert!(path.exists());
    std::fs::remove_file(&path).unwrap();
    Journal::open(dir.path()).unwrap();
}

#[test]
fn long_log_is_compacted() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(dir.path()).unwrap();
    let text = "x".repeat(100_000);
    let mut longest = 0;
    for n in 0..60 {
        let seen = journal.fetching(&source(), &[head(&n.to_string())]).unwrap().remove(0);
        let document = Change { document: text.clone(), ..change(&n.to_string()) };
        journal.fetched(&[(seen.sequence, document)]).unwrap();
        journal.announcing(&[seen.sequence]).unwrap();
        settle(&journal, seen.sequence, Settlement::Applied, None).unwrap();
        longest = longest.max(std::fs::metadata(log_of(dir.path())).unwrap().len());
    }
    assert!(longest < 2_000_000, "{longest} bytes; a document is written once, and dropped with its verdict");
    let all = journal.all();
    drop(journal);
    assert_eq!(Journal::open(dir.path()).unwrap().all(), all);
}

#[test]
fn old_delivered_verdicts_are_evicted() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(dir.path()).unwrap();
    let undelivered = fetch(&journal, "00");
    for n in 0..DELIVERED + 5 {
        let entry = journal.fetching(&source(), &[head(&n.to_string())]).unwrap().remove(0);
        settle(&journal, entry.sequence, rejected(), None).unwrap();
        report(&journal, entry.sequence).unwrap();
    }
    assert_eq!(journal.all().len(), DELIVERED + 1);
    assert_eq!(journal.unsettled()[0].sequence, undelivered.sequence);
}

#[test]
fn fetch_count_survives_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    for times in 1..=3 {
        let journal = Journal::open(dir.path()).unwrap();
        assert_eq!(journal.fetching(&source(), &[head("01A")]).unwrap()[0].fetches, times);
        assert!(journal.unsettled().is_empty(), "it was not fetched");
    }
}

#[test]
fn verdict_stands_until_another_replaces_it() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(dir.path()).unwrap();
    let sequence = fetch(&journal, "01A").sequence;
    settle(&journal, sequence, rejected(), quarantine("a")).unwrap();
    report(&journal, sequence).unwrap();
    assert_eq!(journal.quarantined()[0].change().unwrap(), change("01A"));
    journal.staged(&[(sequence, Vec::new())]).unwrap();
    journal.committed(&[sequence]).unwrap();
    drop(journal);
    let reopened = Journal::open(dir.path()).unwrap();
    assert!(reopened.all()[0].phase.before().is_some());
    reopened.rolled_back(&[sequence]).unwrap();
    assert!(reopened.undelivered().is_empty() && reopened.quarantined().len() == 1);
    settle(&reopened, sequence, rejected(), quarantine("a")).unwrap();
    assert!(reopened.undelivered().is_empty(), "the same verdict is not delivered twice");
    settle(&reopened, sequence, Settlement::Applied, None).unwrap();
    assert_eq!(reopened.undelivered().len(), 1);
    assert!(reopened.all()[0].change().is_none());
}

#[test]
fn edits_by_hand_are_detected() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(dir.path()).unwrap();
    let file = |text: &str, new: &str| {
        let written = format!("{:#}", Digest::of(new.as_bytes()));
        vec![Before { name: "a.toml".to_owned(), overlay: None, text: Some(text.to_owned()), written }]
    };
    let names = |journal: &Journal, files: &[Before]| -> Vec<String> {
        journal.edited_by_hand(files).iter().map(|file| file.name.clone()).collect()
    };
    assert_eq!(names(&journal, &file("mine", "theirs")), ["a.toml"]);
    let copies = ["mine", "mine again", "mine"].map(|text| {
        let copy = journal.save_replaced(1, "a.toml", text.as_bytes()).unwrap();
        assert_eq!(std::fs::read_to_string(&copy).unwrap(), text);
        copy
    });
    assert!(copies[0] != copies[1] && copies[0] == copies[2], "no copy replaces another: {copies:?}");
    let sequence = fetch(&journal, "01A").sequence;
    journal.staged(&[(sequence, file("mine", "theirs"))]).unwrap();
    journal.committed(&[sequence]).unwrap();
    journal.activated(&[sequence]).unwrap();
    settle(&journal, sequence, Settlement::Applied, None).unwrap();
    drop(journal);
    let reopened = Journal::open(dir.path()).unwrap();
    assert!(reopened.edited_by_hand(&file("theirs", "newer")).is_empty());
    assert_eq!(names(&reopened, &file("mine again", "newer")), ["a.toml"]);
}

#[test]
fn live_newer_change_supersedes_older() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(dir.path()).unwrap();
    let older = fetch(&journal, "01A").sequence;
    let newer = fetch(&journal, "01B").sequence;
    let newer_than = |journal: &Journal, sequence: u64, name: &str| {
        let targets = [Target { name: name.to_owned(), digest: None }];
        let live = journal.live_files();
        live.newer(sequence, &targets).map(|(file, id)| (file.to_owned(), id.to_owned()))
    };
    let before =
        vec![Before { name: "a.toml".to_owned(), overlay: None, text: None, written: "00".to_owned() }];
    journal.staged(&[(newer, before)]).unwrap();
    journal.committed(&[newer]).unwrap();
    assert_eq!(newer_than(&journal, older, "a.toml"), None, "it may still be rolled back");
    settle(&journal, newer, Settlement::Applied, None).unwrap();
    drop(journal);
    let reopened = Journal::open(dir.path()).unwrap();
    assert_eq!(newer_than(&reopened, older, "a.toml"), Some(("a.toml".to_owned(), "01B".to_owned())));
    assert_eq!(newer_than(&reopened, older, "b.toml"), None);
    assert_eq!(newer_than(&reopened, newer, "a.toml"), None);
}

#[test]
fn newer_rejected_change_supersedes_older() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(dir.path()).unwrap();
    for (id, file) in [("01A", "a"), ("01B", "b"), ("01C", "a")] {
        settle(&journal, fetch(&journal, id).sequence, rejected(), quarantine(file)).unwrap();
    }
    let left: Vec<String> = journal.quarantined().iter().map(|entry| entry.id.clone()).collect();
    assert_eq!(left, ["01B", "01C"]);
}

#[test]
fn verdict_during_report_is_undelivered() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(dir.path()).unwrap();
    let sequence = fetch(&journal, "01A").sequence;
    settle(&journal, sequence, rejected(), quarantine("a")).unwrap();
    let reported = journal.get(sequence).unwrap().settlement.clone();
    settle(&journal, sequence, Settlement::Applied, None).unwrap();
    journal.delivered(vec![Delivered { sequence, reported, delivery: Delivery::Reported }]).unwrap();
    assert_eq!(journal.undelivered().len(), 1);
    report(&journal, sequence).unwrap();
    assert!(journal.undelivered().is_empty());
}

#[test]
fn failed_fetch_has_fixed_retry_delays() {
    let dir = tempfile::tempdir().unwrap();
    let mut fetches = Vec::new();
    for now in (1..24 * 3600).step_by(60) {
        let journal = Journal::open(dir.path()).unwrap();
        let known = journal.find(&source(), &ChangeId::new("01A").unwrap());
        if known.is_none_or(|entry| entry.fetch_is_due(now)) {
            let sequence = journal.fetching(&source(), &[head("01A")]).unwrap()[0].sequence;
            journal.fetch_failed(&[(sequence, "away".to_owned())], now).unwrap();
            fetches.push(now);
        }
    }
    assert_eq!(fetches, [1, 61, 661, 4261]);
}

#[test]
fn second_gateway_cannot_open_the_journal() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(dir.path()).unwrap();
    fetch(&journal, "01A");
    std::fs::write(dir.path().join(".harmony-x.tmp"), "half").unwrap();
    let error = Journal::open(dir.path()).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    assert!(error.to_string().contains("another gateway works in"), "{error}");
    assert!(dir.path().join(".harmony-x.tmp").exists(), "the files of the other gateway are left alone");
    drop(journal);
    assert_eq!(Journal::open(dir.path()).unwrap().all().len(), 1);
}

proptest! {
    #[test]
    fn decoding_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = log::decode(&bytes);
        let _ = notes::decode(&bytes);
    }
}
