//! The metrics of requests and connections.

use std::fmt;
use std::sync::Arc;

use crate::management::metrics::writer::{Writer, number};
use crate::metrics::catalogue as metric;
use crate::metrics::{Class, ListenerTotals, RouteTraffic, Served, Traffic};
use crate::plan::Upstream;
use crate::snapshot::Snapshot;

/// The values of the label `pipeline` that are no names of pipelines: names have no parentheses.
const NO_PIPELINE: &str = "(none)";
const MANAGEMENT: &str = "(management)";

/// A pipeline that has served requests.
struct Pipeline<'s> {
    name: &'s str,
    /// The name of its backend; empty without one.
    backend: &'s str,
    served: Served,
}

/// A listener of the served configuration.
struct Listener<'s> {
    network: &'s str,
    address: String,
    totals: ListenerTotals,
}

/// Writes the metrics of the pipelines and listeners of a snapshot.
pub(super) fn write(snapshot: &Snapshot, traffic: &Traffic, writer: &mut Writer<'_>) -> fmt::Result {
    let listeners = listeners(snapshot, traffic);
    write_requests(snapshot, &listeners, writer)?;
    write_pipelines(&pipelines(snapshot), writer)?;
    let refusals = traffic.refusals().map(|(reason, count)| ([reason.as_str()], count));
    writer.counter(&metric::REFUSALS, refusals)?;
    write_listeners(&listeners, writer)?;
    if let Some(log) = traffic.access_log() {
        writer.counter(&metric::LOST_LINES, [([], log.lost())])?;
    }
    match traffic.exporter() {
        Some(exporter) => writer.counter(&metric::DROPPED_SPANS, [([], exporter.dropped())]),
        None => Ok(()),
    }
}

fn pipelines(snapshot: &Snapshot) -> Vec<Pipeline<'_>> {
    let all = snapshot.plans.traffic().filter_map(|(plan, _)| {
        let backend = match &plan.upstream {
            Upstream::Http(upstream) => &*upstream.backend,
            _ => "",
        };
        Some(Pipeline { name: &plan.name, backend, served: plan.traffic.served()? })
    });
    all.collect()
}

fn listeners<'s>(snapshot: &'s Snapshot, traffic: &Traffic) -> Vec<Listener<'s>> {
    let all = snapshot.listeners.iter().map(|(address, spec)| Listener {
        network: &spec.network,
        address: address.to_string(),
        totals: traffic.listener(*address).totals(),
    });
    all.collect()
}

/// Writes the requests of routes, and those that belong to none, by network.
fn write_requests(snapshot: &Snapshot, listeners: &[Listener<'_>], writer: &mut Writer<'_>) -> fmt::Result {
    // Several URLs of an ingress are routes with the same counters.
    let mut seen = std::collections::HashSet::new();
    let mut series: Vec<([&str; 4], u64)> = Vec::new();
    for (plan, routes) in snapshot.plans.traffic() {
        for route in routes.filter(|route| seen.insert(Arc::as_ptr(route))) {
            let RouteTraffic { network, route: name, .. } = &**route;
            let served = route.served().into_iter().flatten();
            series.extend(
                served.map(|(class, count)| ([&**network, &*plan.name, &**name, class.as_str()], count)),
            );
        }
    }
    let mut networks = std::collections::BTreeMap::<(&str, &str), [u64; Class::ALL.len()]>::new();
    for Listener { network, totals, .. } in listeners {
        for (pipeline, counts) in [(NO_PIPELINE, &totals.unrouted), (MANAGEMENT, &totals.management)] {
            let sums = networks.entry((network, pipeline)).or_default();
            sums.iter_mut().zip(counts).for_each(|(sum, (_, count))| *sum += count);
        }
    }
    for ((network, pipeline), counts) in &networks {
        let classes = Class::ALL.iter().zip(counts);
        series.extend(classes.map(|(class, count)| ([*network, *pipeline, "", class.as_str()], *count)));
    }
    writer.counter(&metric::REQUESTS, series)
}

fn write_pipelines(pipelines: &[Pipeline<'_>], writer: &mut Writer<'_>) -> fmt::Result {
    let durations = pipelines.iter().map(|one| ([one.name], one.served.duration.clone()));
    writer.histogram(&metric::REQUEST_DURATION, durations)?;
    let has_backend = |one: &&Pipeline<'_>| !one.backend.is_empty();
    let with_backend = || pipelines.iter().filter(has_backend);
    let durations = with_backend().map(|one| ([one.name], one.served.backend.clone()));
    writer.histogram(&metric::BACKEND_DURATION, durations)?;
    let failures = with_backend().flat_map(|one| {
        one.served.faults.iter().map(|(fault, count)| ([one.name, one.backend, fault.as_str()], *count))
    });
    writer.counter(&metric::BACKEND_FAILURES, failures)?;
    let retries = with_backend().map(|one| ([one.name, one.backend], one.served.retries));
    writer.counter(&metric::BACKEND_RETRIES, retries)
}

fn write_listeners(listeners: &[Listener<'_>], writer: &mut Writer<'_>) -> fmt::Result {
    fn each<'a, V>(
        listeners: &'a [Listener<'a>],
        value: impl Fn(&ListenerTotals) -> V,
    ) -> impl Iterator<Item = ([&'a str; 2], V)> {
        listeners.iter().map(move |one| ([one.network, one.address.as_str()], value(&one.totals)))
    }
    writer.gauge(&metric::IN_FLIGHT, each(listeners, |totals| number(totals.in_flight as usize)))?;
    writer.gauge(&metric::CONNECTIONS, each(listeners, |totals| number(totals.open as usize)))?;
    writer.counter(&metric::ACCEPTED, each(listeners, |totals| totals.accepted))?;
    let ended = listeners.iter().flat_map(|one| {
        let each = one.totals.ended.iter();
        each.map(|(ending, count)| ([one.network, one.address.as_str(), ending.as_str()], *count))
    });
    writer.counter(&metric::ENDED, ended)?;
    writer.counter(&metric::FAILED_ACCEPTS, each(listeners, |totals| totals.failed_accepts))?;
    writer.counter(&metric::RECEIVED, each(listeners, |totals| totals.received))?;
    writer.counter(&metric::SENT, each(listeners, |totals| totals.sent))
}
