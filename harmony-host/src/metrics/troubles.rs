//! The recent troubles of a pipeline: how often its backends failed and its requests were refused, and why.
//!
//! Only a failure writes them, so a request that is served costs nothing. Their size is bounded: a pipeline keeps at most
//! [`MAX_TROUBLES`], and a cause at most [`MAX_CAUSE_BYTES`].

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::metrics::fault::Fault;
use crate::metrics::reason::Reason;
use crate::metrics::recent::Recent;

/// The most troubles of one pipeline. A further one replaces the one that came last the longest time ago.
pub(crate) const MAX_TROUBLES: usize = 8;

/// The longest cause. A token or a certificate may have a part in its words.
pub(crate) const MAX_CAUSE_BYTES: usize = 240;

/// The kind of a trouble.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum TroubleKind {
    /// Requests to a backend failed. The origin of its URL is not known in the middle of a response.
    Backend { origin: Option<String>, fault: Fault },
    /// The gateway refused requests.
    Refusal(Reason),
}

/// A trouble of the last minutes.
#[derive(Clone, Debug)]
pub(crate) struct Trouble {
    pub(crate) kind: TroubleKind,
    /// The number of requests.
    pub(crate) count: u64,
    /// The time since the last one.
    pub(crate) age: Duration,
    /// The cause of the last one, in words.
    pub(crate) cause: String,
    /// The remedy for the last one.
    pub(crate) remedy: &'static str,
}

/// The recent troubles of a pipeline.
#[derive(Debug, Default)]
pub(crate) struct Troubles(Mutex<Vec<Entry>>);

#[derive(Debug)]
struct Entry {
    kind: TroubleKind,
    recent: Recent,
    cause: String,
    remedy: &'static str,
}

impl Troubles {
    /// Counts a trouble.
    pub(crate) fn note(&self, kind: TroubleKind, cause: &str, remedy: &'static str) {
        let cause = cause.get(..cause.floor_char_boundary(MAX_CAUSE_BYTES)).unwrap_or_default();
        let mut entries = self.entries();
        let at = entries.iter().position(|entry| entry.kind == kind).unwrap_or_else(|| {
            if entries.len() == MAX_TROUBLES
                && let Some(oldest) = (0..entries.len()).min_by_key(|at| entries[*at].recent.last)
            {
                entries.swap_remove(oldest);
            }
            entries.push(Entry { kind, recent: Recent::new(), cause: String::new(), remedy });
            entries.len() - 1
        });
        let Some(entry) = entries.get_mut(at) else { return };
        entry.recent.add();
        entry.remedy = remedy;
        cause.clone_into(&mut entry.cause);
    }

    /// Returns the troubles of the last minutes.
    pub(crate) fn recent(&self) -> Vec<Trouble> {
        let now = Instant::now();
        let entries = self.entries();
        let recent = entries.iter().filter_map(|entry| {
            let count = entry.recent.count();
            (count > 0).then(|| Trouble {
                kind: entry.kind.clone(),
                count,
                age: now.saturating_duration_since(entry.recent.last),
                cause: entry.cause.clone(),
                remedy: entry.remedy,
            })
        });
        recent.collect()
    }

    fn entries(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;
    use crate::metrics::recent::WINDOW;

    fn refused(reason: Reason) -> TroubleKind {
        TroubleKind::Refusal(reason)
    }

    #[tokio::test(start_paused = true)]
    async fn a_trouble_has_its_last_cause_and_ends_by_itself() {
        let troubles = Troubles::default();
        troubles.note(refused(Reason::TokenExpired), "600 s ago", "a");
        advance(Duration::from_secs(3)).await;
        troubles.note(refused(Reason::TokenExpired), "700 s ago", "b");
        troubles.note(refused(Reason::TokenSignature), "secret", "c");
        advance(Duration::from_secs(2)).await;
        let found = troubles.recent();
        let shown: Vec<_> = found.iter().map(|one| (one.count, &*one.cause, one.remedy)).collect();
        assert_eq!(shown, [(2, "700 s ago", "b"), (1, "secret", "c")]);
        assert_eq!(found[0].age, Duration::from_secs(2));
        advance(WINDOW).await;
        assert!(troubles.recent().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn their_number_and_their_causes_are_bounded() {
        let troubles = Troubles::default();
        for n in 0..=MAX_TROUBLES {
            let kind = TroubleKind::Backend { origin: Some(n.to_string()), fault: Fault::Closed };
            troubles.note(kind, &"ä".repeat(MAX_CAUSE_BYTES), "r");
            advance(Duration::from_secs(1)).await;
        }
        let found = troubles.recent();
        assert_eq!(found.len(), MAX_TROUBLES);
        let is_first = |one: &Trouble| matches!(&one.kind, TroubleKind::Backend { origin, .. } if origin.as_deref() == Some("0"));
        assert!(!found.iter().any(is_first), "the oldest one was replaced");
        assert!(found.iter().all(|one| one.cause.len() == MAX_CAUSE_BYTES));
    }
}
