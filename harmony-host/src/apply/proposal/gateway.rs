//! The proposal of a gateway configuration: a merge into `config.toml`.

use std::path::Path;
use std::sync::Arc;

use provider_api::RejectionClass;
use toml_edit::{DocumentMut, Item};

use crate::apply::proposal::layout::{replace, same, set, value_of};
use crate::apply::proposal::legacy;
use crate::apply::proposal::local_keys;
use crate::apply::proposal::meaning::{Guarded, ProviderMeaning};
use crate::apply::proposal::outcome::Outcome;
use crate::apply::proposal::proposed::Proposed;
use crate::config::fragment::without_values;
use crate::diagnostics::source::{Place, Source};
use crate::documents::{editable, public};

/// Merges a change into `config.toml`. A section of the change replaces the current section; `[proxy]` and
/// `[provider.*]` are merged key by key. Sections and keys that the change does not contain stay, with their comments
/// and layout.
///
/// A compromised control plane must not take over the gateway. A change may set the primary provider and the poll
/// interval. It may not set the identity of the gateway, the address of its control plane, the management API or the
/// network of that. It may repeat what these are, in any spelling: the forms of a control plane do.
pub(super) fn propose(proposed: &mut Proposed<'_>, source: &Arc<Source>) -> RejectionClass {
    let mut incoming = match editable::parse(source.text()) {
        Ok(document) => document,
        Err(error) => {
            let place = error.span().map(|span| Place::new(source, span));
            proposed.problems.error(place.as_ref(), source.name(), without_values(error.message()));
            return RejectionClass::Parse;
        }
    };
    // `DocumentMut` has no spans, so the places come from a second, immutable document.
    let places = toml_edit::Document::parse(source.toml()).ok();
    let Some((name, own)) = current(proposed) else { return RejectionClass::Dependency };
    let public = public_form(proposed, &name);
    local_keys::keep(&mut incoming, &own);
    let mut merge = Merge::new(proposed, source, places.as_ref(), own);
    for (key, item) in incoming.iter() {
        match key {
            "proxy" => merge.proxy(item),
            "provider" => merge.providers(item),
            "management" => merge.management(item),
            legacy if merge.is_legacy(legacy) => merge.unchanged(item, legacy),
            // What was pushed without its secrets and returns takes none of them away.
            _ if same(merge.own.get(key), item) || same(public.get(key), item) => {}
            _ => merge.section(key, item),
        }
    }
    let Merge { own, outcome, base, .. } = merge.finish();
    let text = editable::text_of(&own);
    if !proposed.problems.refuse()
        && let Some(key) = outcome.difference(&own.to_string())
    {
        let message = format!("the merged config.toml would not mean what the change says at `{key}`");
        proposed.problems.error(None, key, message).help(
            "this is a fault of the gateway; nothing was changed. Make this change in config.toml by hand",
        );
    }
    let keys = editable::changed_keys(&base, &text);
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
    /// The document that the change is merged into.
    own: DocumentMut,
    /// Its text before the change; after the migration of a legacy section, which brings nothing from outside.
    base: String,
    /// The guarded settings before the change.
    before: Option<Guarded>,
    /// The values that the merged document must have.
    outcome: Outcome,
}

/// The help for a setting that a change may not make.
const LIMIT_HELP: &str = "the control plane may not change this setting; edit it on the gateway";

/// The keys of `[management]` that its meaning consists of.
const MANAGEMENT_KEYS: [&str; 4] = ["enabled", "base_path", "network", "token"];

impl<'a, 'b> Merge<'a, 'b> {
    fn new(
        proposed: &'a mut Proposed<'b>,
        source: &'a Arc<Source>,
        places: Option<&'a toml_edit::Document<&'a str>>,
        own: DocumentMut,
    ) -> Self {
        let outcome = Outcome::of(&own.to_string());
        let base = editable::text_of(&own);
        let mut merge = Self { proposed, source, places, own, base, before: None, outcome };
        merge.before = merge.guarded(&merge.own);
        merge
    }

    /// Returns whether `key` is a legacy section of a provider. Such a section sets the address of the control plane
    /// too.
    fn is_legacy(&self, key: &str) -> bool {
        let registry = self.proposed.registry;
        let mut legacy = registry.types().filter_map(|provider_type| registry.profile(provider_type)?.legacy);
        legacy.any(|legacy| legacy.name == key)
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

    /// Reads the guarded settings of a document.
    fn guarded(&self, document: &DocumentMut) -> Option<Guarded> {
        let root = self.proposed.documents.config_path().parent().unwrap_or_else(|| Path::new(""));
        Guarded::of(&editable::text_of(document), root)
    }

    /// Returns whether the guarded settings stay the same with a key of a section set.
    fn holds(&self, section: &str, key: &str, value: &Item) -> bool {
        // A variable has its value on this machine only. Comparing it would tell a control plane about that.
        if value.to_string().contains('$') || self.before.is_none() {
            return false;
        }
        let mut trial = self.own.clone();
        set(&mut trial, &[section], key, value);
        self.guarded(&trial) == self.before
    }

    /// Sets one key.
    fn set(&mut self, path: &[&str], key: &str, value: &Item) {
        set(&mut self.own, path, key, value);
        self.outcome.set(path, key, value_of(value));
    }

    /// Replaces or adds a section.
    fn section(&mut self, key: &str, item: &Item) {
        replace(&mut self.own, key, item);
        self.outcome.set(&[], key, value_of(item));
    }

    /// Checks that every key of an incoming section has its current value. Keys may be left out, such as a secret.
    fn unchanged(&mut self, incoming: &Item, key: &str) {
        let Some(table) = incoming.as_table_like() else {
            return self.reject(&[key], "expected a table");
        };
        for (inner, value) in table.iter() {
            if !same(self.own.get(key).and_then(|own| own.get(inner)), value) {
                self.reject(&[key, inner], &format!("a change may not set [{key}]"));
            }
        }
    }

    /// Checks that `[management]` means what it does.
    fn management(&mut self, incoming: &Item) {
        let Some(table) = incoming.as_table_like() else {
            return self.reject(&["management"], "expected a table");
        };
        for (key, value) in table.iter() {
            let own = self.own.get("management").and_then(|own| own.get(key));
            let repeated = MANAGEMENT_KEYS.contains(&key) && self.holds("management", key, value);
            if !same(own, value) && !repeated {
                self.reject(&["management", key], "a change may not set [management]");
            }
        }
    }

    /// Merges `[proxy]`.
    fn proxy(&mut self, incoming: &Item) {
        let Some(table) = incoming.as_table_like() else {
            return self.reject(&["proxy"], "expected a table");
        };
        for (key, value) in table.iter() {
            let current = self.own.get("proxy").and_then(|proxy| proxy.get(key));
            if same(current, value) {
                continue;
            }
            match key {
                "id" if self.holds("proxy", key, value) || self.is_named_there(value) => {}
                "id" => self.reject(&["proxy", "id"], "a change may not set the id of the gateway"),
                "pipelines_path" | "transforms_path" | "mesh_path" if self.holds("proxy", key, value) => {}
                // A new path would replace the live configuration by other files, which the change does not contain.
                "pipelines_path" | "transforms_path" | "mesh_path" => {
                    self.reject(&["proxy", key], "a change may not move the files of the gateway");
                }
                "remote_env_vars" | "sensitive_field_patterns" if self.holds("proxy", key, value) => {}
                "remote_env_vars" | "required_env_vars" | "sensitive_field_patterns" => {
                    self.reject(&["proxy", key], "a change may not set what guards secrets of the gateway");
                }
                "primary_provider" => self.primary(value),
                _ => self.set(&["proxy"], key, value),
            }
        }
    }

    /// Returns whether `id` is the one that the control plane has for this gateway.
    fn is_named_there(&self, id: &Item) -> bool {
        id.as_str().is_some_and(|id| self.proposed.names.iter().any(|name| name == id))
    }

    /// Sets the primary provider. With a legacy section, which chooses one too, that one may be repeated.
    fn primary(&mut self, value: &Item) {
        let (text, registry) = (editable::text_of(&self.own), self.proposed.registry);
        if let Some(legacy) = legacy::of(&text, registry) {
            let configured =
                self.own.get("proxy").is_some_and(|proxy| proxy.get("primary_provider").is_some());
            if !configured && value.as_str() == Some(legacy.primary.as_str()) {
                return;
            }
            self.migrate();
        }
        self.set(&["proxy"], "primary_provider", value);
    }

    /// Writes the settings of a legacy section as `[provider.<name>]`.
    fn migrate(&mut self) {
        if legacy::migrate(&mut self.own, self.proposed.registry) {
            self.base = editable::text_of(&self.own);
            self.outcome = Outcome::of(&self.own.to_string());
        }
    }

    /// Merges `[provider.*]`.
    fn providers(&mut self, incoming: &Item) {
        let Some(table) = incoming.as_table_like() else {
            return self.reject(&["provider"], "expected tables");
        };
        for (name, section) in table.iter() {
            match section.as_table_like() {
                Some(section) => self.provider(name, section),
                None => self.reject(&["provider", name], "expected a table"),
            }
        }
    }

    /// Merges `[provider.<name>]`. What the gateway uses may be repeated, and the interval set. A gateway that runs on
    /// the defaults of its provider gets the section.
    fn provider(&mut self, name: &str, section: &dyn toml_edit::TableLike) {
        let text = editable::text_of(&self.own);
        let Some(used) = ProviderMeaning::of(&text, name, self.proposed.registry) else {
            return self.reject(&["provider", name], "a change may not add a provider");
        };
        let written = |own: &DocumentMut| own.get("provider").is_some_and(|all| all.get(name).is_some());
        let missing = !written(&self.own);
        for (key, value) in section.iter() {
            let current = self.own.get("provider").and_then(|all| all.get(name)).and_then(|own| own.get(key));
            let holds = same(current, value) || used.holds(key, value_of(value).as_ref());
            match key {
                _ if holds && (!missing || used.legacy.is_some()) => {}
                _ if holds => self.set(&["provider", name], key, value),
                "poll_interval_secs" => {
                    if used.legacy.is_some() {
                        self.migrate();
                    }
                    self.set(&["provider", name], key, value);
                }
                _ => self.reject(
                    &["provider", name, key],
                    "a change may not set the connection to the control plane",
                ),
            }
        }
    }

    /// Returns the merged document, after a last look at the guarded settings of the whole: whatever section changed
    /// them.
    fn finish(mut self) -> Self {
        if !self.proposed.problems.refuse()
            && let (Some(before), Some(after)) = (self.before.take(), self.guarded(&self.own))
            && before != after
        {
            if before.identity != after.identity {
                self.reject(
                    &["proxy", "name"],
                    "the gateway has no id, so its name is its identity; a change may not set it",
                );
            } else if let (true, Some((_, network, _))) =
                (before.network != after.network, &before.management)
            {
                self.reject(
                    &["network", network],
                    "the management API is served on this network; a change may not set it",
                );
            } else {
                self.reject(&["management"], "a change may not set the guarded settings of the gateway");
            }
        }
        self
    }
}
