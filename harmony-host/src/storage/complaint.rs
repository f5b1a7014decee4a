//! One complaint about a failing disk. The journal, the history, the audit log and the saved configurations are on the same one and
//! fail together: the first of them complains, and what the others say about it is no second warning.

use std::io::ErrorKind;
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
        assert!(complaints.is_of("history", ErrorKind::PermissionDenied), "another cause");
        tokio::time::advance(SILENCE).await;
        assert!(full("history"), "the journal has been silent for long");
    }
}
