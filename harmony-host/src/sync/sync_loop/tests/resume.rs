//! Tests of the work that an earlier process left in the journal.

use provider_api::{RejectionClass, RejectionReport};

use super::*;
use crate::journal::{Settlement, Verdict};

fn noted(journal: &Journal, id: &str) -> u64 {
    let source = SourceId { provider: "scripted".parse().unwrap(), store: "one".into() };
    let id = ChangeId::new(id).unwrap();
    let head = ChangeHead { id: id.clone(), kind: DocumentKind::Mesh, created_at: None };
    let sequence = journal.fetching(&source, &[head]).unwrap()[0].sequence;
    let (kind, document) = (DocumentKind::Mesh, "x".to_owned());
    journal.fetched(&[(sequence, Change { id, kind, document, attachments: Vec::new() })]).unwrap();
    journal.acknowledged(&[sequence]).unwrap();
    sequence
}

fn verdict(sequence: u64, settlement: Settlement) -> Verdict {
    Verdict { sequence, settlement, quarantine: None }
}

fn rejected() -> Settlement {
    let summary = "mesh/m.toml:1: no".to_owned();
    RejectionReport { class: RejectionClass::Validate, summary, problems: Vec::new() }.into()
}

/// Waits until the reports that the provider received satisfy `heard`.
async fn until(provider: &Scripted, heard: fn(&[ChangeStatus]) -> bool) {
    let told = async {
        while !heard(&provider.reports.lock().unwrap()) {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(3600), told).await.unwrap();
}

fn applied(told: &[ChangeStatus]) -> bool {
    told.contains(&ChangeStatus::Applied)
}

#[tokio::test(start_paused = true)]
async fn on_demand_change_is_finished_without_a_poll() {
    let provider = Scripted::new(Cadence::OnDemand, []);
    let directory = tempfile::tempdir().unwrap();
    let journal = Journal::open(directory.path()).unwrap();
    noted(&journal, "01A");
    let running = follow_on(&provider, 1, directory, Some(Arc::clone(&journal)));
    until(&provider, applied).await;
    assert!(journal.unsettled().is_empty());
    assert!(provider.asked.lock().unwrap().is_empty(), "no poll");
    assert!(running.status.read().sync.as_ref().unwrap().rejected.is_none());
}

#[tokio::test(start_paused = true)]
async fn rejection_survives_a_restart() {
    let provider = Scripted::new(Cadence::OnDemand, []);
    let directory = tempfile::tempdir().unwrap();
    let journal = Journal::open(directory.path()).unwrap();
    journal.settle(vec![verdict(noted(&journal, "01A"), rejected())]).unwrap();
    let running = follow_on(&provider, 1, directory, Some(journal));
    until(&provider, |told| told.iter().any(|status| matches!(status, ChangeStatus::Rejected(_)))).await;
    let status = running.status.read();
    let reason = status.reason().unwrap();
    assert!(reason.contains("01A was rejected (validate): mesh/m.toml:1: no"), "{reason}");
}

#[tokio::test(start_paused = true)]
async fn undeliverable_verdict_stops_blocking() {
    let provider = Scripted::new(Cadence::OnDemand, []);
    *provider.deaf_to.lock().unwrap() = Some("01A");
    let directory = tempfile::tempdir().unwrap();
    let journal = Journal::open(directory.path()).unwrap();
    for id in ["01A", "01B"] {
        journal.settle(vec![verdict(noted(&journal, id), Settlement::Applied)]).unwrap();
    }
    let _running = follow_on(&provider, 1, directory, Some(Arc::clone(&journal)));
    until(&provider, applied).await;
    assert!(provider.unheard.load(Ordering::SeqCst) >= 5, "in their order at first");
    assert!(journal.undelivered().iter().all(|entry| entry.id == "01A"));
}
