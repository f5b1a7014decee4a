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

fn told(journal: &Journal, sequence: u64) -> io::Result<()> {
    let settlement = journal.get(sequence).unwrap().settlement.clone();
    journal.delivered(sequence, settlement.as_ref(), Delivery::Told)
}

fn rejected() -> Settlement {
    RejectionReport { class: RejectionClass::Parse, summary: "no".to_owned(), problems: Vec::new() }.into()
}

fn quarantine(file: &str) -> Option<Quarantine> {
    let targets = vec![Target { name: file.to_owned(), held: None }];
    Quarantine::after(None, Attempt::new(RejectionClass::Validate, "digest".to_owned(), targets), 0)
}

#[test]
fn what_was_noted_is_there_after_a_restart_in_the_order_it_came() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(dir.path()).unwrap();
    let first = fetch(&journal, "01A");
    let second = fetch(&journal, "01B");
    journal.acknowledged(first.sequence).unwrap();
    journal.settle(second.sequence, Settlement::Applied, None).unwrap();
    drop(journal);
    let again = Journal::open(dir.path()).unwrap();
    assert_eq!(again.unsettled().iter().map(|e| e.id.clone()).collect::<Vec<_>>(), ["01A"]);
    assert_eq!(again.unsettled()[0].change().unwrap(), change("01A"));
    assert!(again.unsettled()[0].acknowledged);
    let undelivered = again.undelivered();
    assert_eq!(undelivered.len(), 1);
    assert!(undelivered[0].change().is_none(), "a document is let go of with the verdict");
    told(&again, second.sequence).unwrap();
    drop(again);
    let again = Journal::open(dir.path()).unwrap();
    assert!(again.undelivered().is_empty());
    assert!(again.find(&provider(), &ChangeId::new("01B").unwrap()).is_some());
}

#[test]
fn a_note_that_was_tampered_with_is_put_aside_and_the_others_are_read() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(dir.path()).unwrap();
    fetch(&journal, "01A");
    fetch(&journal, "01B");
    let path = dir.path().join("000000000001.note");
    let text = std::fs::read_to_string(&path).unwrap().replace("pipelines.a", "pipelines.b");
    std::fs::write(&path, text).unwrap();
    drop(journal);
    let again = Journal::open(dir.path()).unwrap();
    assert_eq!(again.all().len(), 1);
    assert!(dir.path().join("000000000001.damaged").exists());
}

#[test]
fn a_note_that_cannot_be_read_now_or_here_stays_and_the_journal_says_which() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("000000000001.note");
    std::fs::create_dir(&path).unwrap();
    let error = Journal::open(dir.path()).unwrap_err().to_string();
    assert!(error.contains("000000000001.note cannot be read: Is a directory"), "{error}");
    std::fs::remove_dir(&path).unwrap();
    let body = "{\"schema\":3,\"entries\":\"of a later gateway\"}";
    std::fs::write(&path, format!("{:#}\n{body}\n", Digest::of(body.as_bytes()))).unwrap();
    let error = Journal::open(dir.path()).unwrap_err().to_string();
    assert!(error.contains("000000000001.note cannot be read: it has the form 3"), "{error}");
    assert!(path.exists());
    std::fs::remove_file(&path).unwrap();
    Journal::open(dir.path()).unwrap();
}

#[test]
fn old_verdicts_are_let_go_of_and_undelivered_ones_are_not() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(dir.path()).unwrap();
    let kept = fetch(&journal, "00");
    for n in 0..REMEMBERED + 5 {
        let entry = journal.fetching(&provider(), &head(&n.to_string())).unwrap();
        journal.settle(entry.sequence, rejected(), None).unwrap();
        told(&journal, entry.sequence).unwrap();
    }
    assert_eq!(journal.all().len(), REMEMBERED + 1);
    assert_eq!(journal.unsettled()[0].sequence, kept.sequence);
}

#[test]
fn how_often_a_body_was_asked_for_is_known_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    for times in 1..=3 {
        let journal = Journal::open(dir.path()).unwrap();
        assert_eq!(journal.fetching(&provider(), &head("01A")).unwrap().fetches, times);
        assert!(journal.unsettled().is_empty(), "it is not here");
    }
}

#[test]
fn a_change_that_is_tried_again_keeps_its_verdict_until_there_is_another_which_is_told_once() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(dir.path()).unwrap();
    let sequence = fetch(&journal, "01A").sequence;
    journal.settle(sequence, rejected(), quarantine("a")).unwrap();
    told(&journal, sequence).unwrap();
    assert_eq!(journal.quarantined()[0].change().unwrap(), change("01A"));
    journal.staged(sequence, Vec::new()).unwrap();
    journal.committed(sequence).unwrap();
    drop(journal);
    let again = Journal::open(dir.path()).unwrap();
    assert!(again.all()[0].phase.before().is_some());
    again.taken_back(sequence).unwrap();
    assert!(again.undelivered().is_empty() && again.quarantined().len() == 1);
    again.settle(sequence, rejected(), quarantine("a")).unwrap();
    assert!(again.undelivered().is_empty(), "it is known to be rejected");
    again.settle(sequence, Settlement::Applied, None).unwrap();
    assert_eq!(again.undelivered().len(), 1);
    assert!(again.all()[0].change().is_none());
}

#[test]
fn what_a_change_left_is_told_from_what_was_written_by_hand() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(dir.path()).unwrap();
    let file = |text: &str, new: &str| {
        let written = format!("{:#}", Digest::of(new.as_bytes()));
        vec![Before { name: "a.toml".to_owned(), text: Some(text.to_owned()), written }]
    };
    let names = |journal: &Journal, files: &[Before]| -> Vec<String> {
        journal.by_hand(files).iter().map(|file| file.name.clone()).collect()
    };
    assert_eq!(names(&journal, &file("mine", "theirs")), ["a.toml"]);
    let kept = journal.keep_replaced(1, &file("mine", "theirs")[0]).unwrap();
    assert_eq!(std::fs::read_to_string(kept).unwrap(), "mine");
    let sequence = fetch(&journal, "01A").sequence;
    journal.staged(sequence, file("mine", "theirs")).unwrap();
    journal.committed(sequence).unwrap();
    journal.activated(sequence).unwrap();
    journal.settle(sequence, Settlement::Applied, None).unwrap();
    drop(journal);
    let again = Journal::open(dir.path()).unwrap();
    assert!(again.by_hand(&file("theirs", "newer")).is_empty());
    assert_eq!(names(&again, &file("mine again", "newer")), ["a.toml"]);
}

#[test]
fn an_older_change_learns_that_a_newer_one_has_written_its_file_and_not_the_other_way_round() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(dir.path()).unwrap();
    let older = fetch(&journal, "01A").sequence;
    let newer = fetch(&journal, "01B").sequence;
    let target = |name: &str| vec![Target { name: name.to_owned(), held: None }];
    let before = vec![Before { name: "a.toml".to_owned(), text: None, written: "00".to_owned() }];
    journal.staged(newer, before).unwrap();
    journal.committed(newer).unwrap();
    assert_eq!(journal.newer(older, &target("a.toml")), None, "it may be taken back yet");
    journal.settle(newer, Settlement::Applied, None).unwrap();
    drop(journal);
    let again = Journal::open(dir.path()).unwrap();
    assert_eq!(again.newer(older, &target("a.toml")), Some(("a.toml".to_owned(), "01B".to_owned())));
    assert_eq!(again.newer(older, &target("b.toml")), None);
    assert_eq!(again.newer(newer, &target("a.toml")), None);
}

#[test]
fn of_two_rejected_changes_of_one_file_the_newer_is_what_is_wanted() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(dir.path()).unwrap();
    for (id, file) in [("01A", "a"), ("01B", "b"), ("01C", "a")] {
        journal.settle(fetch(&journal, id).sequence, rejected(), quarantine(file)).unwrap();
    }
    let left: Vec<String> = journal.quarantined().iter().map(|entry| entry.id.clone()).collect();
    assert_eq!(left, ["01B", "01C"]);
}

#[test]
fn a_verdict_that_came_while_another_was_told_is_still_to_be_told() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(dir.path()).unwrap();
    let sequence = fetch(&journal, "01A").sequence;
    journal.settle(sequence, rejected(), quarantine("a")).unwrap();
    let telling = journal.get(sequence).unwrap().settlement.clone();
    journal.settle(sequence, Settlement::Applied, None).unwrap();
    journal.delivered(sequence, telling.as_ref(), Delivery::Told).unwrap();
    assert_eq!(journal.undelivered().len(), 1);
    told(&journal, sequence).unwrap();
    assert!(journal.undelivered().is_empty());
}

#[test]
fn a_body_that_could_not_be_had_is_asked_for_after_a_minute_ten_minutes_and_an_hour() {
    let dir = tempfile::tempdir().unwrap();
    let mut asked = Vec::new();
    for now in (1..24 * 3600).step_by(60) {
        let journal = Journal::open(dir.path()).unwrap();
        let known = journal.find(&provider(), &ChangeId::new("01A").unwrap());
        if known.is_none_or(|entry| entry.wants_its_body(now)) {
            let sequence = journal.fetching(&provider(), &head("01A")).unwrap().sequence;
            journal.missed(sequence, now).unwrap();
            asked.push(now);
        }
    }
    assert_eq!(asked, [1, 61, 661, 4261]);
}

#[test]
fn two_gateways_do_not_work_with_one_journal() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(dir.path()).unwrap();
    fetch(&journal, "01A");
    std::fs::write(dir.path().join(".harmony-x.tmp"), "half").unwrap();
    let error = Journal::open(dir.path()).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    assert!(error.to_string().contains("another gateway works in"), "{error}");
    assert!(dir.path().join(".harmony-x.tmp").exists(), "what the other one writes is left alone");
    drop(journal);
    assert_eq!(Journal::open(dir.path()).unwrap().all().len(), 1);
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = store::decode(&bytes);
    }
}
