//! One complaint about a full disk. The journal, the history, the audit log and the saved configurations are on the same one and
//! fail together: the first of them complains, and what the others say about it is no second warning. Every other error has a
//! cause of its own, and each part complains about it.

use std::io::{self, ErrorKind};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// The time for which others do not complain about the same. It is longer than the longest wait of the sync.
const SILENCE: Duration = Duration::from_secs(600);

/// The complaints of this process. A disk is one of the machine, not of a gateway.
static COMPLAINTS: Complaints = Complaints::new();

/// Returns whether `part` complains about errors of this kind, and no other part of the state does.
pub(crate) fn is_of(part: &'static str, kind: ErrorKind) -> bool {
    COMPLAINTS.is_of(part, kind)
}

/// Logs the error of a part of the state: as an error, unless another part complains about the same.
pub(crate) fn complain(part: &'static str, error: &io::Error, message: &'static str) {
    match is_of(part, error.kind()) {
        true => tracing::error!(%error, "{message}"),
        false => tracing::info!(%error, "{message}"),
    }
}

/// Returns whether an error is one of the whole disk.
fn is_of_disk(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::ReadOnlyFilesystem)
}

#[derive(Debug)]
struct Complaints(Mutex<Vec<Complaint>>);

#[derive(Debug)]
struct Complaint {
    kind: ErrorKind,
    part: &'static str,
    at: Instant,
}

impl Complaints {
    const fn new() -> Self {
        Self(Mutex::new(Vec::new()))
    }

    fn is_of(&self, part: &'static str, kind: ErrorKind) -> bool {
        if !is_of_disk(kind) {
            return true;
        }
        let now = Instant::now();
        let mut complaints = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        complaints.retain(|one| now.saturating_duration_since(one.at) < SILENCE);
        match complaints.iter_mut().find(|one| one.kind == kind) {
            Some(one) if one.part == part => one.at = now,
            Some(_) => return false,
            None => complaints.push(Complaint { kind, part, at: now }),
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_first_part_complains_for_all() {
        let complaints = Complaints::new();
        let full = |part| complaints.is_of(part, ErrorKind::StorageFull);
        assert!(full("journal"));
        assert!(!full("history"));
        assert!(full("journal"), "it repeats itself");
        assert!(complaints.is_of("history", ErrorKind::ReadOnlyFilesystem), "another cause");
        tokio::time::advance(SILENCE).await;
        assert!(full("history"), "the journal has been silent for long");
    }

    /// A log that was removed is no reason for silence about another one that was.
    #[test]
    fn each_part_complains_about_its_own_files() {
        let complaints = Complaints::new();
        for kind in [ErrorKind::NotFound, ErrorKind::PermissionDenied, ErrorKind::Other] {
            for part in ["journal", "audit log"] {
                assert!(complaints.is_of(part, kind), "{part} {kind}");
            }
        }
    }
}
