//! The recent troubles of all pipelines, for `GET provider` and the status page.
//!
//! They say nothing about the sync: a gateway with a dead backend is in sync, and `status` ends with the exit code of the sync.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use crate::metrics::{Trouble, TroubleKind};
use crate::snapshot::Snapshot;
use crate::status::timestamp;

/// The most troubles in an answer, the most recent ones.
const MAX_SHOWN: usize = 16;

/// The most pipelines that one of them names.
const MAX_PIPELINES: usize = 3;

/// A trouble of the last five minutes.
#[derive(Debug, Serialize)]
pub(super) struct RecentTrouble {
    /// `backend` or `refusal`.
    kind: &'static str,
    /// The kind of the failure or the reason of the refusal, as in the metrics.
    pub(super) reason: &'static str,
    /// The scheme, the host and the port of the backend.
    pub(super) origin: Option<String>,
    /// The pipelines with this trouble, not all if there are many.
    pub(super) pipelines: Vec<String>,
    /// The number of the other pipelines.
    pub(super) more_pipelines: usize,
    /// The number of requests.
    pub(super) count: u64,
    /// The time of the last one.
    pub(super) last_at: Timestamp,
    /// The cause of the last one.
    pub(super) cause: String,
    /// The remedy.
    pub(super) remedy: &'static str,
}

impl RecentTrouble {
    /// Returns whether a backend failed, and not the gateway refused.
    pub(super) fn is_backend(&self) -> bool {
        self.kind == "backend"
    }

    /// Returns what does not change with every look at the clock.
    pub(super) fn facts(&self) -> impl Serialize {
        (self.reason, self.origin.as_deref(), self.count, &*self.cause)
    }

    /// Returns the pipelines in words.
    pub(super) fn of(&self) -> String {
        let more = match self.more_pipelines {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        self.pipelines.join(", ") + &more
    }
}

/// Returns the troubles of the last five minutes, the most recent one first. Pipelines with the same one share an entry.
pub(super) fn troubles(snapshot: &Snapshot) -> Vec<RecentTrouble> {
    let mut merged = BTreeMap::<TroubleKind, (Trouble, Vec<&str>)>::new();
    for (plan, _) in snapshot.plans.traffic() {
        for mut trouble in plan.traffic.troubles.recent() {
            let Some((known, pipelines)) = merged.get_mut(&trouble.kind) else {
                merged.insert(trouble.kind.clone(), (trouble, vec![&plan.name]));
                continue;
            };
            trouble.count += known.count;
            match trouble.age < known.age {
                true => *known = trouble,
                false => known.count = trouble.count,
            }
            pipelines.push(&plan.name);
        }
    }
    let mut all: Vec<_> = merged.into_values().collect();
    all.sort_by_key(|(trouble, _)| trouble.age);
    all.truncate(MAX_SHOWN);
    let now = snapshot.providers.now();
    let shown = all.into_iter().map(|(trouble, pipelines)| {
        let (kind, reason, origin) = match trouble.kind {
            TroubleKind::Backend { origin, fault } => ("backend", fault.as_str(), origin),
            TroubleKind::Refusal(reason) => ("refusal", reason.as_str(), None),
        };
        RecentTrouble {
            kind,
            reason,
            origin,
            pipelines: pipelines.iter().take(MAX_PIPELINES).map(ToString::to_string).collect(),
            more_pipelines: pipelines.len().saturating_sub(MAX_PIPELINES),
            count: trouble.count,
            last_at: timestamp(now.checked_sub(trouble.age).unwrap_or(now)),
            cause: trouble.cause,
            remedy: trouble.remedy,
        }
    });
    shown.collect()
}
