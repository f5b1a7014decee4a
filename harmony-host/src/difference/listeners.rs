//! Differences of listeners.

use crate::difference::draft::Drafts;
use crate::difference::entry::{Kind, Sign};
use crate::difference::words;
use crate::snapshot::Snapshot;

/// Compares the listeners that the configurations describe.
pub(super) fn compare(before: Option<&Snapshot>, after: &Snapshot, drafts: &mut Drafts) {
    let old = before.map(|before| &before.listeners);
    let gone = old.into_iter().flatten().filter(|(at, _)| !after.listeners.contains_key(at));
    for (at, spec) in gone {
        let clause = format!("closes, {}", words::listener(spec));
        drafts.add(Sign::of(true, false), Kind::Listener, at.to_string(), [clause]);
    }
    for (at, spec) in &after.listeners {
        let is = words::listener(spec);
        let Some(was) = old.and_then(|old| old.get(at)) else {
            let clause = format!("opens, {is}");
            drafts.add(Sign::of(false, true), Kind::Listener, at.to_string(), [clause]);
            continue;
        };
        let digest = |tls: &Option<_>| tls.as_ref().map(|tls: &crate::snapshot::TlsSpec| tls.digest);
        let mut clauses = Vec::new();
        if words::listener(was) != is {
            clauses.push(format!("now {is} (was {})", words::listener(was)));
        } else if digest(&was.tls) != digest(&spec.tls) {
            clauses.push("now with another certificate or key; its connections stay open".to_owned());
        }
        drafts.note(Kind::Listener, &at.to_string(), clauses);
    }
}
