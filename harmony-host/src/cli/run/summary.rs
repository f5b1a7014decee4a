//! The status of a gateway in one line, for the service manager and for SIGUSR1.

use crate::diagnostics::escape::escape;
use crate::diagnostics::logged::counted;
use crate::diagnostics::redaction::redact;
use crate::host::Host;

/// Returns the status in one line: in sync or the reason why not, and what is served.
pub(super) fn summary(host: &Host) -> String {
    let (status, snapshot) = (host.status(), host.snapshot());
    let state = match (status.in_sync(), status.is_unknown()) {
        (true, _) => "in sync",
        (_, true) => "NOT KNOWN to be in sync",
        _ => "NOT in sync",
    };
    let generation = status.effective.as_ref().map_or(0, |effective| effective.generation);
    let served = counted(snapshot.pipelines().count(), "pipeline");
    let paused = if status.paused.is_some() { "; the sync is PAUSED" } else { "" };
    let reason = status.reason().map_or_else(String::new, |reason| format!(": {reason}"));
    let line = format!("{state}; generation {generation} with {served}{paused}{reason}");
    escape(&redact(&line)).into_owned()
}
