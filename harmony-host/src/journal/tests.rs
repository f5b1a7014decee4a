use proptest::prelude::*;
use provider_api::{DocumentKind, RejectionClass};

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

#[test]
fn what_was_noted_is_there_after_a_restart_in_the_order_it_came() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(dir.path()).unwrap();
    let first = journal.receive(&provider(), &change("01A")).unwrap();
    let second = journal.receive(&provider(), &change("01B")).unwrap();
    journal.acknowledged(first.sequence).unwrap();
    journal.settle(second.sequence, Settlement::Applied).unwrap();
    let again = Journal::open(dir.path()).unwrap();
    assert_eq!(again.unsettled().iter().map(|e| e.id.clone()).collect::<Vec<_>>(), ["01A"]);
    assert_eq!(again.unsettled()[0].change().unwrap(), change("01A"));
    assert!(again.unsettled()[0].acknowledged);
    let undelivered = again.undelivered();
    assert_eq!(undelivered.len(), 1);
    assert!(undelivered[0].change().is_none(), "a document is let go of with the verdict");
    again.delivered(second.sequence, Delivery::Told).unwrap();
    assert!(Journal::open(dir.path()).unwrap().undelivered().is_empty());
    assert!(again.find(&provider(), &ChangeId::new("01B").unwrap()).is_some());
}

#[test]
fn a_note_that_was_tampered_with_is_put_aside_and_the_others_are_read() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(dir.path()).unwrap();
    journal.receive(&provider(), &change("01A")).unwrap();
    journal.receive(&provider(), &change("01B")).unwrap();
    let path = dir.path().join("000000000001.note");
    let text = std::fs::read_to_string(&path).unwrap().replace("pipelines.a", "pipelines.b");
    std::fs::write(&path, text).unwrap();
    let again = Journal::open(dir.path()).unwrap();
    assert_eq!(again.all().len(), 1);
    assert!(dir.path().join("000000000001.damaged").exists());
}

#[test]
fn old_verdicts_are_let_go_of_and_undelivered_ones_are_not() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(dir.path()).unwrap();
    let rejection =
        || Rejection { class: RejectionClass::Parse, summary: "no".to_owned(), problems: Vec::new() };
    let kept = journal.receive(&provider(), &change("00")).unwrap();
    for n in 0..REMEMBERED + 5 {
        let head = ChangeHead {
            id: ChangeId::new(format!("{n}")).unwrap(),
            kind: DocumentKind::Mesh,
            created_at: None,
        };
        let entry = journal.refuse(&provider(), &head, rejection()).unwrap();
        journal.delivered(entry.sequence, Delivery::Told).unwrap();
    }
    assert_eq!(journal.all().len(), REMEMBERED + 1);
    assert_eq!(journal.unsettled()[0].sequence, kept.sequence);
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = store::decode(&bytes);
    }
}
