//! The summary of the journal in the status.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::journal::{Entry, Journal, Phase, Settlement};
use crate::providers::SourceId;
use crate::status::{JournalSummary, StatusBoard, timestamp};

/// Updates the status from the journal entries of the source that is followed.
pub(super) fn update(journal: &Journal, source: &SourceId, status: &StatusBoard) {
    let all = journal.all();
    let ours: Vec<&Arc<Entry>> = all.iter().filter(|entry| entry.is_from(source)).collect();
    let unsettled = ours.iter().filter(|entry| entry.phase != Phase::Settled);
    let unsettled = unsettled.map(|entry| entry.id.clone()).collect();
    let unfetched = ours.iter().find_map(|entry| unfetched(entry));
    let undelivered = ours.iter().filter(|entry| entry.is_undelivered()).count();
    let quarantined = ours.iter().filter(|entry| entry.quarantine.is_some()).count();
    // A rejected change that is retried has priority over the newest settled change.
    let wanted = |entry: &&&Arc<Entry>| entry.quarantine.is_some();
    let newest = ours.iter().rfind(|entry| entry.phase == Phase::Settled);
    let standing = ours.iter().rfind(wanted).or(newest).filter(|entry| !entry.superseded);
    let rejected = standing.and_then(|entry| match entry.settlement.as_ref()? {
        Settlement::Applied => None,
        Settlement::Rejected { class, summary, .. } => {
            Some(format!("the {} change {} was rejected ({class}): {summary}", entry.kind, entry.id))
        }
    });
    let applied = ours.iter().rfind(|entry| entry.settlement == Some(Settlement::Applied));
    if let Some(applied) = applied {
        status.applied_before(&applied.id, &applied.kind);
    }
    status.journal(
        source,
        JournalSummary { unsettled, unfetched, undelivered, quarantined, rejected, bytes: journal.bytes() },
    );
}

/// Returns why a change has no document, and the remedy.
fn unfetched(entry: &Entry) -> Option<String> {
    let error = entry.fetch_error.as_ref().filter(|_| entry.phase == Phase::Seen)?;
    let due = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(entry.fetch_due_at()))?;
    Some(format!(
        "the {} change {} could not be fetched: {error}; it is fetched again at {}, and by `harmony-host sync` at once",
        entry.kind,
        entry.id,
        timestamp(due)
    ))
}
