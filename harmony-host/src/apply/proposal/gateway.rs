//! The proposal of a gateway configuration: a merge into `config.toml`.

use std::sync::Arc;

use provider_api::RejectionClass;
use toml_edit::{DocumentMut, Item, Table, TableLike};

use crate::apply::proposal::proposed::Proposed;
use crate::config::fragment::without_values;
use crate::diagnostics::source::{Place, Source};
use crate::documents::{editable, public};

/// Merges a change into `config.toml`. A section of the change replaces the current section; `[proxy]` and
/// `[provider.*]` are merged key by key. Sections and keys that the change does not contain stay, with their comments
/// and layout.
///
/// A compromised control plane must not take over the gateway. A change may set the primary provider and the poll
/// interval. It may not set the identity of the gateway, the address of its control plane, or the management API.
pub(super) fn propose(proposed: &mut Proposed<'_>, source: &Arc<Source>) -> RejectionClass {
    let incoming = match editable::parse(source.text()) {
        Ok(document) => document,
        Err(error) => {
            let place = error.span().map(|span| Place::new(source, span));
            proposed.problems.error(place.as_ref(), source.name(), without_values(error.message()));
            return RejectionClass::Parse;
        }
    };
    // `DocumentMut` has no spans, so the places come from a second, immutable document.
    let places = toml_edit::Document::parse(source.toml()).ok();
    let Some((name, mut own)) = current(proposed) else { return RejectionClass::Dependency };
    let public = public_form(proposed, &name);
    let mut merge = Merge { proposed, source, places: places.as_ref() };
    for (key, item) in incoming.iter() {
        match key {
            "proxy" => merge.proxy(&mut own, item),
            "provider" => merge.providers(&mut own, item),
            "management" => merge.unchanged(own.get(key), item, key),
            legacy if merge.is_legacy(legacy) => merge.unchanged(own.get(key), item, key),
            // What was pushed without its secrets and returns takes none of them away.
            _ if same(own.get(key), item) || same(public.get(key), item) => {}
            _ => {
                let position = own.get(key).and_then(Item::as_table).and_then(Table::position);
                own.insert(key, at_position(item.clone(), position));
            }
        }
    }
    let text = editable::text_of(&own);
    let keys = editable::changed_keys(proposed.documents.text(&name).unwrap_or_default(), &text);
    proposed.edits.set_keys(name.as_str(), keys);
    proposed.write(name, &text);
    RejectionClass::Validate
}

/// Returns the name and content of the current `config.toml`.
fn current(proposed: &mut Proposed<'_>) -> Option<(String, DocumentMut)> {
    let fragment = proposed.documents.fragments().find(|fragment| fragment.gateway.is_some());
    let parsed = fragment.and_then(|fragment| {
        Some((fragment.source.name().to_owned(), editable::parse(fragment.source.text()).ok()?))
    });
    if parsed.is_none() {
        proposed.problems.error(
            None,
            "config.toml",
            "the current file cannot be read, so a change cannot be merged into it",
        );
    }
    parsed
}

/// Returns config.toml as it is pushed: without its secrets.
fn public_form(proposed: &Proposed<'_>, name: &str) -> DocumentMut {
    let own = proposed.documents.source(name);
    let text = own.and_then(|own| public::without_secrets(own.text(), &own.sensitive(), proposed.registry));
    text.and_then(|text| editable::parse(&text).ok()).unwrap_or_default()
}

/// A merge in progress.
struct Merge<'a, 'b> {
    proposed: &'a mut Proposed<'b>,
    source: &'a Arc<Source>,
    places: Option<&'a toml_edit::Document<&'a str>>,
}

/// The help for a setting that a change may not make.
const LIMIT_HELP: &str = "the control plane may not change this setting; edit it on the gateway";

impl Merge<'_, '_> {
    /// Returns whether `key` is a legacy section of a provider. Such a section sets the address of the control plane
    /// too.
    fn is_legacy(&self, key: &str) -> bool {
        let registry = self.proposed.registry;
        let mut legacy = registry.types().filter_map(|provider_type| registry.profile(provider_type)?.legacy);
        legacy.any(|legacy| legacy.name == key)
    }

    /// Returns whether a provider can run without a section, on its defaults.
    fn needs_no_section(&self, name: &str) -> bool {
        self.proposed.registry.profile(name).is_some_and(|profile| !profile.defaults.is_empty())
    }

    /// Adds a problem at the place of `path` in the change.
    fn reject(&mut self, path: &[&str], message: &str) {
        let mut span = None;
        let mut at = self.places.map(|document| document.as_item());
        for key in path {
            at = at.and_then(|item| item.get(key));
            span = at.and_then(Item::span).or(span);
        }
        let place = span.map(|span| Place::new(self.source, span));
        self.proposed.problems.error(place.as_ref(), path.join("."), message).help(LIMIT_HELP);
    }

    /// Checks that every key of an incoming section has its current value. Keys may be left out, such as a secret.
    fn unchanged(&mut self, own: Option<&Item>, incoming: &Item, key: &str) {
        let Some(table) = incoming.as_table_like() else {
            return self.reject(&[key], "expected a table");
        };
        for (inner, value) in table.iter() {
            if !same(own.and_then(|own| own.get(inner)), value) {
                self.reject(&[key, inner], &format!("a change may not set [{key}]"));
            }
        }
    }

    /// Merges `[proxy]`.
    fn proxy(&mut self, own: &mut DocumentMut, incoming: &Item) {
        let Some(table) = incoming.as_table_like() else {
            return self.reject(&["proxy"], "expected a table");
        };
        let identity = |own: &DocumentMut| {
            let proxy = own.get("proxy");
            let text = |key: &str| Some(proxy?.get(key)?.as_str()?.to_owned());
            text("id").or_else(|| text("name"))
        };
        let before = identity(own);
        for (key, value) in table.iter() {
            let current = own.get("proxy").and_then(|proxy| proxy.get(key));
            if same(current, value) {
                continue;
            }
            match key {
                "id" => self.reject(&["proxy", "id"], "a change may not set the id of the gateway"),
                // A new path would replace the live configuration by other files, which the change does not contain.
                "pipelines_path" | "transforms_path" | "mesh_path" => {
                    self.reject(&["proxy", key], "a change may not move the files of the gateway");
                }
                "remote_env_vars" | "required_env_vars" | "sensitive_field_patterns" => {
                    self.reject(&["proxy", key], "a change may not set what guards secrets of the gateway");
                }
                _ => set(own, &["proxy"], key, value),
            }
        }
        if identity(own) != before {
            self.reject(
                &["proxy", "name"],
                "the gateway has no id, so its name is its identity; a change may not set it",
            );
        }
    }

    /// Merges `[provider.*]`.
    fn providers(&mut self, own: &mut DocumentMut, incoming: &Item) {
        let Some(table) = incoming.as_table_like() else {
            return self.reject(&["provider"], "expected tables");
        };
        for (name, section) in table.iter() {
            let Some(section) = section.as_table_like() else {
                self.reject(&["provider", name], "expected a table");
                continue;
            };
            let known = own.get("provider").is_some_and(|all| all.get(name).is_some());
            if !known {
                // Without a section the provider runs on its defaults. A section with only an interval keeps its
                // address.
                let only_interval = section.iter().all(|(key, _)| key == "poll_interval_secs");
                if !(only_interval && self.needs_no_section(name)) {
                    self.reject(&["provider", name], "a change may not add a provider");
                    continue;
                }
            }
            for (key, value) in section.iter() {
                let current = own.get("provider").and_then(|all| all.get(name)).and_then(|own| own.get(key));
                if same(current, value) {
                    continue;
                }
                match key {
                    "poll_interval_secs" => set(own, &["provider", name], key, value),
                    _ => self.reject(
                        &["provider", name, key],
                        "a change may not set the connection to the control plane",
                    ),
                }
            }
        }
    }
}

/// Moves an item of another document to `position` of this one, or to its end.
fn at_position(mut item: Item, position: Option<isize>) -> Item {
    match &mut item {
        Item::Table(table) => {
            table.set_position(position);
            for (_, inner) in table.iter_mut() {
                *inner = at_position(std::mem::take(inner), position);
            }
        }
        Item::ArrayOfTables(tables) => tables.iter_mut().for_each(|table| table.set_position(position)),
        _ => {}
    }
    item
}

/// Sets one key of a table and keeps the comments around the value. Creates the table if it is missing.
pub(crate) fn set(document: &mut DocumentMut, path: &[&str], key: &str, value: &Item) {
    let mut table: &mut dyn TableLike = document.as_table_mut();
    for (depth, name) in path.iter().enumerate() {
        let item = table.entry(name).or_insert_with(|| {
            let mut table = Table::new();
            table.set_implicit(depth + 1 < path.len());
            Item::Table(table)
        });
        match item.as_table_like_mut() {
            Some(inner) => table = inner,
            None => return,
        }
    }
    let mut new = value.clone();
    if let (Some(old), Some(value)) = (table.get(key).and_then(Item::as_value), new.as_value_mut()) {
        *value.decor_mut() = old.decor().clone();
    }
    table.insert(key, new);
}

/// Returns whether two items have the same value, in whatever layout.
fn same(one: Option<&Item>, other: &Item) -> bool {
    one.is_some_and(|one| value_of(one) == value_of(other))
}

/// Returns the value of an item without its layout.
fn value_of(item: &Item) -> Option<toml::Value> {
    let mut document = DocumentMut::new();
    document.insert("v", item.clone());
    let table: toml::Table = toml::from_str(&document.to_string()).ok()?;
    table.get("v").cloned()
}
