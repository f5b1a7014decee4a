//! The metrics of the control side: what the status says, what was counted, and what ends soon.

use std::fmt;
use std::time::SystemTime;

use crate::host::Control;
use crate::management::metrics::writer::{Writer, flag, number, seconds, unix_seconds};
use crate::metrics::catalogue as metric;
use crate::metrics::{CacheCounters, ControlCounters};
use crate::snapshot::Snapshot;
use crate::status::{AttemptVerdict, Authorization, Status, SyncStatus};

/// Writes the metrics of the control side.
pub(super) fn write(
    snapshot: &Snapshot,
    status: &Status,
    control: &Control,
    writer: &mut Writer<'_>,
) -> fmt::Result {
    let build = [env!("CARGO_PKG_VERSION"), std::env::consts::OS, std::env::consts::ARCH];
    writer.gauge(&metric::BUILD, [(build, 1.0)])?;
    let start = SystemTime::now().checked_sub(control.started.elapsed());
    writer.gauge(&metric::START, start.map(|start| ([], unix_seconds(start))))?;
    write_configuration(snapshot, status, writer)?;
    write_counters(&control.status.counters, writer)?;
    if let Some(sync) = &status.sync {
        write_sync(sync, writer)?;
    }
    let ends = snapshot.certificates.iter();
    let ends = ends.map(|end| ([end.file.value.as_str()], unix_seconds(end.ends_at)));
    writer.gauge(&metric::CERTIFICATE, ends)?;
    write_caches(snapshot, writer)
}

fn write_configuration(snapshot: &Snapshot, status: &Status, writer: &mut Writer<'_>) -> fmt::Result {
    let effective = status.effective.as_ref();
    let generation = effective.map_or(0, |effective| effective.generation);
    writer.gauge(&metric::GENERATION, [([], generation as f64)])?;
    writer.gauge(&metric::SERVED_SINCE, effective.map(|effective| ([], seconds(effective.since))))?;
    writer.gauge(&metric::PIPELINES, [([], number(snapshot.config.pipelines.len()))])?;
    writer.gauge(&metric::WARNINGS, [([], number(snapshot.warnings.len()))])?;
    writer.gauge(&metric::IN_SYNC, [([], flag(status.in_sync()))])?;
    let attempted = status.attempted.as_ref();
    writer.gauge(&metric::ATTEMPT_TIME, attempted.map(|attempted| ([], seconds(attempted.at))))?;
    let success = attempted.map(|attempted| ([], flag(attempted.verdict == AttemptVerdict::Applied)));
    writer.gauge(&metric::ATTEMPT_SUCCESS, success)?;
    let class = attempted.and_then(|attempted| attempted.class.as_deref());
    writer.gauge(&metric::ATTEMPT_CLASS, class.map(|class| ([class], 1.0)))?;
    let saved = status.last_good.as_ref().map(|saved| ([], flag(saved.failure.is_none())));
    writer.gauge(&metric::LAST_GOOD, saved)
}

fn write_counters(counters: &ControlCounters, writer: &mut Writer<'_>) -> fmt::Result {
    writer.counter(&metric::APPLIED, [([], counters.applied.get())])?;
    let rejections: Vec<_> = counters.rejections().map(|(class, count)| (class.to_string(), count)).collect();
    let rejections = rejections.iter().map(|(class, count)| ([class.as_str()], *count));
    writer.counter(&metric::REJECTED, rejections)?;
    let reloads = [
        (["applied"], counters.reloads_applied.get()),
        (["unchanged"], counters.reloads_unchanged.get()),
        (["rejected"], counters.reloads_rejected.get()),
    ];
    writer.counter(&metric::RELOADS, reloads)?;
    let passes = [(["done"], counters.passes.get()), (["failed"], counters.failed_passes.get())];
    writer.counter(&metric::SYNC_PASSES, passes)?;
    let changes = [
        (["applied"], counters.changes_applied.get()),
        (["rejected"], counters.changes_rejected.get()),
        (["held"], counters.changes_held.get()),
    ];
    writer.counter(&metric::SYNC_CHANGES, changes)
}

fn write_sync(sync: &SyncStatus, writer: &mut Writer<'_>) -> fmt::Result {
    let provider = [sync.provider.as_str()];
    writer.gauge(&metric::SYNC_CONTACT, sync.heard_at.map(|at| (provider, seconds(at))))?;
    let failures = sync.failure.as_ref().map_or(0, |failure| failure.times);
    writer.gauge(&metric::SYNC_FAILURES, [(provider, f64::from(failures))])?;
    for (definition, count) in [
        (&metric::SYNC_PENDING, sync.unsettled),
        (&metric::SYNC_HELD, sync.held()),
        (&metric::SYNC_NOT_TAKEN, sync.not_taken.len()),
        (&metric::SYNC_QUARANTINED, sync.quarantined),
        (&metric::SYNC_OUTBOX, sync.undelivered),
    ] {
        writer.gauge(definition, [(provider, number(count))])?;
    }
    writer.gauge(&metric::JOURNAL, sync.journal_bytes.map(|bytes| (provider, bytes as f64)))?;
    let is_valid = matches!(sync.authorization, Authorization::Valid | Authorization::None);
    writer.gauge(&metric::AUTHORIZED, [(provider, flag(is_valid))])?;
    writer.gauge(&metric::AUTHORIZED_UNTIL, sync.authorized_until.map(|at| (provider, seconds(at))))
}

fn write_caches(snapshot: &Snapshot, writer: &mut Writer<'_>) -> fmt::Result {
    let mut caches: Vec<([&str; 2], &CacheCounters)> =
        vec![(["references", ""], snapshot.plans.references.counters())];
    for mesh in &snapshot.plans.meshes {
        let name = mesh.identity.name.as_str();
        caches.push((["verified_tokens", name], &mesh.verified.counters));
        caches.push((["issued_tokens", name], &mesh.issued));
    }
    let mut write = |definition, count: fn(&CacheCounters) -> u64| {
        writer.counter(definition, caches.iter().map(|(labels, counters)| (*labels, count(counters))))
    };
    write(&metric::CACHE_LOOKUPS, |counters| counters.lookups.sum(|counter| counter))?;
    write(&metric::CACHE_FETCHES, |counters| counters.fetches.get())?;
    write(&metric::CACHE_FAILURES, |counters| counters.failures.get())
}
