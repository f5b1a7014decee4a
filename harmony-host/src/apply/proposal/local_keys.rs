//! The check that a change leaves the keys alone that only the operator may set.

use std::sync::Arc;

use toml_edit::{DocumentMut, Item};

use crate::apply::proposal::base::effective;
use crate::apply::proposal::layout::set;
use crate::apply::proposal::proposed::Proposed;
use crate::config::keys::authority::{LocalValue, local_values};
use crate::diagnostics::source::{Place, Source};
use crate::documents::editable;

/// The help for a setting that a change may not make.
pub(super) const HELP: &str = "the control plane may not change this setting; edit it on the gateway";

/// Checks the files as they would be after a change, of whatever kind and whatever way it took: the keys that only the
/// operator may set have the values that they had. So neither a change that sets one nor one that removes it passes.
pub(super) fn check(proposed: &mut Proposed<'_>, source: &Arc<Source>) {
    if proposed.problems.refuse() {
        return;
    }
    let base = proposed.base;
    let gateway = base.gateway().map(|fragment| fragment.source.name());
    let written = || proposed.edits.iter().filter(|(name, _)| name.ends_with(".toml"));
    let own = |name| base.fragment(name).map(|own| effective(own.source.text(), gateway == Some(name)));
    let before: Vec<LocalValue> = written().filter_map(|(name, _)| own(name)).flatten().collect();
    let after: Vec<LocalValue> =
        written().flat_map(|(name, text)| effective(text, gateway == Some(name))).collect();
    // A value may move between the files of the change, and be in one that stays.
    let stays = |value: &&LocalValue| {
        let is_written = |file: &str| proposed.edits.get(file).is_some();
        base.local_values().iter().any(|(file, other)| !is_written(file) && other == *value)
    };
    let removed = before.iter().filter(|value| !after.contains(value));
    let differing: Vec<&LocalValue> = removed
        .chain(after.iter().filter(|value| !before.contains(value)))
        .filter(|value| !stays(value))
        .collect();
    let mut reported: Vec<&[String]> = Vec::new();
    for LocalValue { path, reason, .. } in differing {
        if !reported.contains(&path.as_slice()) {
            reported.push(path);
            let names: Vec<&str> = path.iter().map(String::as_str).collect();
            let place = place(source, &names);
            proposed.problems.error(place.as_ref(), names.join("."), *reason).help(HELP);
        }
    }
}

/// Adds to `incoming` the keys of `own` that only the operator may set, in the sections that both have. A control plane
/// that does not know such a key leaves it out of what it sends. Returns whether there was one.
pub(super) fn keep(incoming: &mut DocumentMut, own: &DocumentMut) -> bool {
    let mine = editable::meaning(&editable::text_of(own)).unwrap_or_default();
    let mut kept = false;
    for LocalValue { path, .. } in local_values(&mine) {
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        let Some((key, section)) = path.split_last() else { continue };
        let lacks_key = item(incoming.as_item(), section)
            .and_then(Item::as_table_like)
            .is_some_and(|table| !table.contains_key(key));
        if let (true, Some(value)) = (lacks_key, item(own.as_item(), &path)) {
            set(incoming, section, key, value);
            kept = true;
        }
    }
    kept
}

fn item<'d>(document: &'d Item, path: &[&str]) -> Option<&'d Item> {
    path.iter().try_fold(document, |item, name| item.get(name))
}

/// Returns the place of `path` in a change, or that of the innermost table around it.
pub(super) fn place(source: &Arc<Source>, path: &[&str]) -> Option<Place> {
    // A document for editing has no spans.
    let document = toml_edit::Document::parse(source.toml()).ok()?;
    let (mut at, mut span) = (Some(document.as_item()), None);
    for name in path {
        at = at.and_then(|item| item.get(name));
        span = at.and_then(Item::span).or(span);
    }
    span.map(|span| Place::new(source, span))
}
