//! Differences of routes and of the pipelines that they lead to.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::config::LinkedPipeline;
use crate::difference::draft::Drafts;
use crate::difference::entry::{Kind, Sign};
use crate::difference::words;
use crate::plan::{PlannedPipeline, Route};
use crate::snapshot::Snapshot;

/// The routes of the pipelines that differ, by network and prefix: before and after.
type Routes<'a> = BTreeMap<(&'a str, String), [Option<&'a Route>; 2]>;

/// Compares the pipelines whose plans are not shared.
pub(super) fn compare(before: Option<&Snapshot>, after: &Snapshot, drafts: &mut Drafts) {
    let mut routes = Routes::new();
    for (old, new) in after.plans.changed_since(before.map(|before| &before.plans)) {
        let same = old.zip(new).is_some_and(|(old, new)| has_same_routes(old, new));
        if !same {
            enter(&mut routes, old, 0);
            enter(&mut routes, new, 1);
        }
        let (old, new) = (old.map(PlannedPipeline::linked), new.map(PlannedPipeline::linked));
        match (old, new) {
            (Some(old), Some(new)) if Arc::ptr_eq(old, new) => {}
            (Some(old), Some(new)) => drafts.note(Kind::Pipeline, &new.pipeline.name, changed(old, new)),
            (None, Some(new)) => {
                let mut clauses = vec![format!("leads to {}", words::destination(new))];
                clauses.extend(new.unserved.as_ref().map(|missing| unserved(missing)));
                drafts.add(Sign::Added, Kind::Pipeline, &new.pipeline.name, clauses);
            }
            (Some(old), None) => drafts.add(Sign::Removed, Kind::Pipeline, &old.pipeline.name, None),
            (None, None) => {}
        }
    }
    for ((network, prefix), [old, new]) in routes {
        let clauses = match (old, new) {
            (Some(old), Some(new)) => differences(old, new),
            (None, Some(new)) => described(new),
            _ => Vec::new(),
        };
        let sign = Sign::of(old.is_some(), new.is_some());
        if sign != Sign::Changed || !clauses.is_empty() {
            drafts.add(sign, Kind::Route, format!("{prefix} on {network}"), clauses);
        }
    }
}

fn enter<'a>(routes: &mut Routes<'a>, planned: Option<&'a PlannedPipeline>, side: usize) {
    for (network, prefix, route) in planned.into_iter().flat_map(PlannedPipeline::entries) {
        let entry = routes.entry((network, prefix)).or_default();
        if let Some(slot) = entry.get_mut(side) {
            slot.get_or_insert(route);
        }
    }
}

/// Returns whether two plans have the same routes, without their texts: an edit of config.toml plans every pipeline again.
fn has_same_routes(old: &PlannedPipeline, new: &PlannedPipeline) -> bool {
    let networks = |planned: &'_ PlannedPipeline| {
        planned.linked().pipeline.networks.iter().map(|at| at.value.clone()).collect::<Vec<_>>()
    };
    old.has_same_prefixes(new)
        && networks(old) == networks(new)
        && old.routes().zip(new.routes()).all(|(old, new)| differences(old, new).is_empty())
}

/// Returns the parts of a route in words.
fn described(route: &Route) -> Vec<String> {
    let mut clauses = vec![format!("leads to pipeline {}", route.pipeline.name)];
    if route.admission.required || !route.admission.meshes.is_empty() {
        clauses.push(words::admission(&route.admission));
    }
    clauses.extend(route.closed.as_ref().map(|reason| format!("closed: {reason}")));
    clauses
}

/// Returns the differences of two routes of the same prefix in words.
fn differences(old: &Route, new: &Route) -> Vec<String> {
    let mut clauses = Vec::new();
    if old.pipeline.name != new.pipeline.name {
        clauses.push(format!("now leads to pipeline {} (was {})", new.pipeline.name, old.pipeline.name));
    }
    let is_open = |route: &Route| !route.admission.required && route.admission.meshes.is_empty();
    if !(is_open(old) && is_open(new)) {
        let (was, is) = (words::admission(&old.admission), words::admission(&new.admission));
        if was != is {
            clauses.push(format!("now {is} (before: {was})"));
        }
    }
    match (&old.closed, &new.closed) {
        (old, new) if old == new => {}
        (_, Some(reason)) => clauses.push(format!("now closed: {reason}")),
        (_, None) => clauses.push("no longer closed".to_owned()),
    }
    if old.endpoint != new.endpoint {
        clauses.push(format!("now by endpoint {} (was {})", new.endpoint, old.endpoint));
    }
    clauses
}

/// Returns the differences of a pipeline that its own keys may not have.
fn changed(old: &LinkedPipeline, new: &LinkedPipeline) -> Vec<String> {
    let mut clauses = Vec::new();
    let (was, is) = (words::destination(old), words::destination(new));
    if was != is {
        clauses.push(format!("now leads to {is} (was {was})"));
    }
    match (&old.unserved, &new.unserved) {
        (old, new) if old == new => {}
        (_, Some(missing)) => clauses.push(unserved(missing)),
        (_, None) => clauses.push("is served now".to_owned()),
    }
    clauses
}

fn unserved(missing: &str) -> String {
    format!("answers 501, because this host does not have {missing}")
}
