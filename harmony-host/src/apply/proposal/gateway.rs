use std::sync::Arc;

use provider_api::RejectionClass;
use toml_edit::{DocumentMut, Item, Table, TableLike};

use crate::apply::proposal::proposed::Proposed;
use crate::config::fragment::without_values;
use crate::diagnostics::source::{Place, Source};

/// A change of config.toml. A section that it brings replaces the section that is there; what it does not
/// bring stays, and so do comments and layout of what it does not change. In `[proxy]` and `[provider.*]` it
/// goes key by key.
///
/// A remote control plane has limits. It may choose another primary provider and another interval. It may not
/// say who this gateway is, where its control plane is, or how it is managed.
pub(super) fn propose(proposed: &mut Proposed<'_>, source: &Arc<Source>) -> RejectionClass {
    let brought = match source.text().parse::<DocumentMut>() {
        Ok(document) => document,
        Err(error) => {
            let place = error.span().map(|span| Place::new(source, span));
            proposed.problems.error(place.as_ref(), source.name(), without_values(error.message()));
            return RejectionClass::Parse;
        }
    };
    // A parsed document keeps the places of its parts only as long as it cannot be changed.
    let places = toml_edit::Document::parse(source.text()).ok();
    let Some((name, mut own)) = own(proposed) else { return RejectionClass::Dependency };
    let mut merge = Merge { proposed, source, places: places.as_ref() };
    for (key, item) in brought.iter() {
        match key {
            "proxy" => merge.proxy(&mut own, item),
            "provider" => merge.providers(&mut own, item),
            "management" => merge.unchanged(own.get(key), item, key),
            legacy if merge.is_legacy(legacy) => merge.unchanged(own.get(key), item, key),
            _ if same(own.get(key), item) => {}
            _ => {
                let position = own.get(key).and_then(Item::as_table).and_then(Table::position);
                own.insert(key, placed(item.clone(), position));
            }
        }
    }
    proposed.write(name, &own.to_string());
    RejectionClass::Validate
}

/// config.toml as it is.
fn own(proposed: &mut Proposed<'_>) -> Option<(String, DocumentMut)> {
    let fragment = proposed.documents.fragments().find(|fragment| fragment.gateway.is_some());
    let parsed = fragment.and_then(|fragment| {
        Some((fragment.source.name().to_owned(), fragment.source.text().parse::<DocumentMut>().ok()?))
    });
    if parsed.is_none() {
        proposed.problems.error(
            None,
            "config.toml",
            "what is there cannot be read, so nothing can be changed in it",
        );
    }
    parsed
}

struct Merge<'a, 'b> {
    proposed: &'a mut Proposed<'b>,
    source: &'a Arc<Source>,
    places: Option<&'a toml_edit::Document<&'a str>>,
}

const LIMIT: &str = "a change that comes from the control plane may set primary_provider and poll_interval_secs only; make this one by hand";

impl Merge<'_, '_> {
    /// Whether a section is the old form of one that says where the control plane is.
    fn is_legacy(&self, key: &str) -> bool {
        let registry = self.proposed.registry;
        let mut legacy = registry.types().filter_map(|provider_type| registry.profile(provider_type)?.legacy);
        legacy.any(|legacy| legacy.name == key)
    }

    /// Whether a gateway may run on a provider without a section of it.
    fn needs_no_section(&self, name: &str) -> bool {
        self.proposed.registry.profile(name).is_some_and(|profile| !profile.defaults.is_empty())
    }

    fn refuse(&mut self, path: &[&str], message: &str) {
        let mut span = None;
        let mut at = self.places.map(|document| document.as_item());
        for key in path {
            at = at.and_then(|item| item.get(key));
            span = at.and_then(Item::span).or(span);
        }
        let place = span.map(|span| Place::new(self.source, span));
        self.proposed.problems.error(place.as_ref(), path.join("."), message).help(LIMIT);
    }

    /// What is brought must be there, and say the same; a secret may be left out.
    fn unchanged(&mut self, own: Option<&Item>, brought: &Item, key: &str) {
        let Some(table) = brought.as_table_like() else {
            return self.refuse(&[key], "expected a table");
        };
        for (inner, value) in table.iter() {
            if !same(own.and_then(|own| own.get(inner)), value) {
                self.refuse(&[key, inner], &format!("{key} is this gateway's own"));
            }
        }
    }

    fn proxy(&mut self, own: &mut DocumentMut, brought: &Item) {
        let Some(table) = brought.as_table_like() else {
            return self.refuse(&["proxy"], "expected a table");
        };
        let identity = |own: &DocumentMut| {
            let proxy = own.get("proxy");
            let text = |key: &str| Some(proxy?.get(key)?.as_str()?.to_owned());
            text("id").or_else(|| text("name"))
        };
        let before = identity(own);
        for (key, value) in table.iter() {
            let there = own.get("proxy").and_then(|proxy| proxy.get(key));
            if same(there, value) {
                continue;
            }
            match key {
                "id" => self.refuse(&["proxy", "id"], "the id of a gateway is its own"),
                // They would move what is served to other files, of which the change brings none.
                "pipelines_path" | "transforms_path" | "mesh_path" => {
                    self.refuse(&["proxy", key], "where this gateway keeps its files is its own");
                }
                _ => set(own, &["proxy"], key, value),
            }
        }
        if identity(own) != before {
            self.refuse(
                &["proxy", "name"],
                "this gateway has no id, so its name is its id, which is its own",
            );
        }
    }

    fn providers(&mut self, own: &mut DocumentMut, brought: &Item) {
        let Some(table) = brought.as_table_like() else {
            return self.refuse(&["provider"], "expected tables");
        };
        for (name, section) in table.iter() {
            let Some(section) = section.as_table_like() else {
                self.refuse(&["provider", name], "expected a table");
                continue;
            };
            let known = own.get("provider").is_some_and(|all| all.get(name).is_some());
            if !known {
                // A gateway may run on the default section; what it says by default is no other control plane.
                let only_interval = section.iter().all(|(key, _)| key == "poll_interval_secs");
                if !(only_interval && self.needs_no_section(name)) {
                    self.refuse(&["provider", name], "this gateway does not have this provider");
                    continue;
                }
            }
            for (key, value) in section.iter() {
                let there = own.get("provider").and_then(|all| all.get(name)).and_then(|own| own.get(key));
                if same(there, value) {
                    continue;
                }
                match key {
                    "poll_interval_secs" => set(own, &["provider", name], key, value),
                    _ => self.refuse(
                        &["provider", name, key],
                        "where the control plane is, and how it is spoken to, is this gateway's own",
                    ),
                }
            }
        }
    }
}

/// A part of another document, to stand at `position` of this one, or at its end.
fn placed(mut item: Item, position: Option<isize>) -> Item {
    match &mut item {
        Item::Table(table) => {
            table.set_position(position);
            for (_, inner) in table.iter_mut() {
                *inner = placed(std::mem::take(inner), position);
            }
        }
        Item::ArrayOfTables(tables) => tables.iter_mut().for_each(|table| table.set_position(position)),
        _ => {}
    }
    item
}

/// Sets one key of a table, which is made when it is missing, and keeps the comments around the value.
pub(crate) fn set(document: &mut DocumentMut, path: &[&str], key: &str, value: &Item) {
    let mut table: &mut dyn TableLike = document.as_table_mut();
    for (depth, name) in path.iter().enumerate() {
        let item = table.entry(name).or_insert_with(|| {
            let mut made = Table::new();
            made.set_implicit(depth + 1 < path.len());
            Item::Table(made)
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

/// Whether two parts of a document say the same, however they are written.
fn same(one: Option<&Item>, other: &Item) -> bool {
    one.is_some_and(|one| meaning(one) == meaning(other))
}

fn meaning(item: &Item) -> Option<toml::Value> {
    let mut document = DocumentMut::new();
    document.insert("v", item.clone());
    let table: toml::Table = toml::from_str(&document.to_string()).ok()?;
    table.get("v").cloned()
}
