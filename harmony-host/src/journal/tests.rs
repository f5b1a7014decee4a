//! Tests of the journal.

use proptest::prelude::*;
use provider_api::{DocumentKind, RejectionClass, RejectionReport};

use super::*;

fn provider() -> ProviderName {
    "runbeam".parse().unwrap()
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
    let seen = journal.fetching(&provider(), &head(id)).unwrap();
    journal.fetched(seen.sequence, &change(id)).unwrap()
}

fn report(journal: &Journal, sequence: u64) -> io::Result<()> {
    let settlement = journal.get(sequence).unwrap().settlement.clone();
    journal.delivered(sequence, settlement.as_ref(), Delivery::Reported)
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
    journal.acknowledged(first.sequence).unwrap();
    journal.settle(second.sequence, Settlement::Applied, None).unwrap();
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
    assert!(reopened.find(&provider(), &ChangeId::new("01B").unwrap()).is_some());
}

#[test]
fn damaged_note_is_renamed() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(dir.path()).unwrap();
    fetch(&journal, "01A");
    fetch(&journal, "01B");
    let path = dir.path().join("000000000001.note");
    let text = std::fs::read_to_string(&path).unwrap().replace("pipelines.a", "pipelines.b");
    std::fs::write(&path, text).unwrap();
    drop(journal);
    let reopened = Journal::open(dir.path()).unwrap();
    assert_eq!(reopened.all().len(), 1);
    assert!(dir.path().join("000000000001.damaged").exists());
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
fn old_delivered_verdicts_are_evicted() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(dir.path()).unwrap();
    let undelivered = fetch(&journal, "00");
    for n in 0..DELIVERED + 5 {
        let entry = journal.fetching(&provider(), &head(&n.to_string())).unwrap();
        journal.settle(entry.sequence, rejected(), None).unwrap();
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
        assert_eq!(journal.fetching(&provider(), &head("01A")).unwrap().fetches, times);
        assert!(journal.unsettled().is_empty(), "it was not fetched");
    }
}

#[test]
fn verdict_stands_until_another_replaces_it() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(dir.path()).unwrap();
    let sequence = fetch(&journal, "01A").sequence;
    journal.settle(sequence, rejected(), quarantine("a")).unwrap();
    report(&journal, sequence).unwrap();
    assert_eq!(journal.quarantined()[0].change().unwrap(), change("01A"));
    journal.staged(sequence, Vec::new()).unwrap();
    journal.committed(sequence).unwrap();
    drop(journal);
    let reopened = Journal::open(dir.path()).unwrap();
    assert!(reopened.all()[0].phase.before().is_some());
    reopened.rolled_back(sequence).unwrap();
    assert!(reopened.undelivered().is_empty() && reopened.quarantined().len() == 1);
    reopened.settle(sequence, rejected(), quarantine("a")).unwrap();
    assert!(reopened.undelivered().is_empty(), "the same verdict is not delivered twice");
    reopened.settle(sequence, Settlement::Applied, None).unwrap();
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
    journal.staged(sequence, file("mine", "theirs")).unwrap();
    journal.committed(sequence).unwrap();
    journal.activated(sequence).unwrap();
    journal.settle(sequence, Settlement::Applied, None).unwrap();
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
    let target = |name: &str| vec![Target { name: name.to_owned(), digest: None }];
    let before =
        vec![Before { name: "a.toml".to_owned(), overlay: None, text: None, written: "00".to_owned() }];
    journal.staged(newer, before).unwrap();
    journal.committed(newer).unwrap();
    assert_eq!(journal.superseded_by(older, &target("a.toml")), None, "it may still be rolled back");
    journal.settle(newer, Settlement::Applied, None).unwrap();
    drop(journal);
    let reopened = Journal::open(dir.path()).unwrap();
    assert_eq!(
        reopened.superseded_by(older, &target("a.toml")),
        Some(("a.toml".to_owned(), "01B".to_owned()))
    );
    assert_eq!(reopened.superseded_by(older, &target("b.toml")), None);
    assert_eq!(reopened.superseded_by(newer, &target("a.toml")), None);
}

#[test]
fn newer_rejected_change_supersedes_older() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(dir.path()).unwrap();
    for (id, file) in [("01A", "a"), ("01B", "b"), ("01C", "a")] {
        journal.settle(fetch(&journal, id).sequence, rejected(), quarantine(file)).unwrap();
    }
    let left: Vec<String> = journal.quarantined().iter().map(|entry| entry.id.clone()).collect();
    assert_eq!(left, ["01B", "01C"]);
}

#[test]
fn verdict_during_report_is_undelivered() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(dir.path()).unwrap();
    let sequence = fetch(&journal, "01A").sequence;
    journal.settle(sequence, rejected(), quarantine("a")).unwrap();
    let reported = journal.get(sequence).unwrap().settlement.clone();
    journal.settle(sequence, Settlement::Applied, None).unwrap();
    journal.delivered(sequence, reported.as_ref(), Delivery::Reported).unwrap();
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
        let known = journal.find(&provider(), &ChangeId::new("01A").unwrap());
        if known.is_none_or(|entry| entry.fetch_is_due(now)) {
            let sequence = journal.fetching(&provider(), &head("01A")).unwrap().sequence;
            journal.fetch_failed(sequence, now, "away").unwrap();
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
        let _ = store::decode(&bytes);
    }
}
