//! The proposal of a gateway configuration: a merge into `config.toml`.

use std::sync::Arc;

use provider_api::RejectionClass;
use toml_edit::{DocumentMut, Item};

use crate::apply::proposal::layout::{same, value_of};
use crate::apply::proposal::legacy;
use crate::apply::proposal::local_keys;
use crate::apply::proposal::meaning::ProviderMeaning;
use crate::apply::proposal::merge::Merge;
use crate::apply::proposal::proposed::Proposed;
use crate::apply::proposal::record::{self, RecordField};
use crate::config::fragment::without_values;
use crate::config::keys::authority::{Authority, authority};
use crate::diagnostics::source::{Place, Source};
use crate::documents::{editable, public};

/// Merges a change into `config.toml`. A section of the change replaces the current section; `[proxy]` and
/// `[provider.*]` are merged key by key. Sections and keys that the change does not contain stay, with their comments
/// and layout.
///
/// A compromised control plane must not take over the gateway. Of `[proxy]`, `[provider.*]` and `[management]` a change
/// may set the primary provider and the poll interval. It may not set anything else of them, such as the limits of
/// requests, nor the network of the management API. It may repeat what these are, in any spelling: the forms of a control
/// plane do.
pub(super) fn propose(proposed: &mut Proposed<'_>, source: &Arc<Source>) -> RejectionClass {
    let mut incoming = match editable::parse(source.text()) {
        Ok(document) => document,
        Err(error) => {
            let place = error.span().map(|span| Place::new(source, span));
            proposed.problems.error(place.as_ref(), source.name(), without_values(error.message()));
            return RejectionClass::Parse;
        }
    };
    let Some((name, own)) = current(proposed) else { return RejectionClass::Dependency };
    let public = public_form(proposed, &name);
    local_keys::keep(&mut incoming, &own);
    let mut merge = Merge::new(proposed, source, own);
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
    let fragment = proposed.base.gateway();
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
    let own = proposed.base.documents.source(name);
    let text =
        own.and_then(|own| public::without_secrets(own.text(), &own.sensitive(), proposed.base.registry));
    text.and_then(|text| editable::parse(&text).ok()).unwrap_or_default()
}

impl Merge<'_, '_> {
    /// Returns whether `key` is a legacy section of a provider. Such a section sets the address of the control plane
    /// too.
    fn is_legacy(&self, key: &str) -> bool {
        let registry = self.proposed.base.registry;
        let mut legacy = registry.types().filter_map(|provider_type| registry.profile(provider_type)?.legacy);
        legacy.any(|legacy| legacy.name == key)
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
        let off = self.own.get("management").is_none();
        for (key, value) in table.iter() {
            let own = self.own.get("management").and_then(|own| own.get(key));
            match authority("management", key) {
                // Where the management API is off, its other settings would have no effect.
                _ if off && key != "enabled" => {
                    self.reject(&["management", key], "the management API is off: this would have no effect");
                }
                _ if same(own, value) || self.holds("management", key, value) => {}
                Authority::Local(reason) => self.reject(&["management", key], reason),
                Authority::Shared => self.set(&["management"], key, value),
            }
        }
    }

    /// Checks that `[proxy]` means what it does, and merges the primary provider.
    fn proxy(&mut self, incoming: &Item) {
        let Some(table) = incoming.as_table_like() else {
            return self.reject(&["proxy"], "expected a table");
        };
        for (key, value) in table.iter() {
            let current = self.own.get("proxy").and_then(|proxy| proxy.get(key));
            if same(current, value) {
                continue;
            }
            if let Some(field) = record::field(key) {
                if let Some(message) = self.contradiction(field, value) {
                    self.reject(&["proxy", key], message);
                }
                continue;
            }
            match authority("proxy", key) {
                _ if self.is_other_name(key, value) => {}
                Authority::Local(_) if self.holds("proxy", key, value) => {}
                Authority::Local(reason) => self.reject_differing(key, value, reason),
                Authority::Shared => self.primary(value),
            }
        }
    }

    /// Rejects a key of `[proxy]`; of a table, each key that does not have its current value.
    fn reject_differing(&mut self, key: &str, value: &Item, reason: &str) {
        let current = self.own.get("proxy").and_then(|proxy| proxy.get(key)).cloned();
        let names: Vec<&str> = match value.as_table_like() {
            Some(table) => {
                let own = |name: &str| current.as_ref().and_then(|current| current.get(name));
                table.iter().filter(|(name, value)| !same(own(name), value)).map(|(name, _)| name).collect()
            }
            None => Vec::new(),
        };
        if names.is_empty() {
            return self.reject(&["proxy", key], reason);
        }
        for name in names {
            self.reject(&["proxy", key, name], reason);
        }
    }

    /// Returns whether a key that names the gateway has the id, code or name that the control plane has for it. The file
    /// keeps its own.
    fn is_other_name(&self, key: &str, value: &Item) -> bool {
        matches!(key, "id" | "name")
            && value.as_str().is_some_and(|name| self.proposed.base.names.contains(name))
    }

    /// Returns the reason why a field of the record of a gateway does not fit this gateway.
    fn contradiction(&self, field: RecordField, value: &Item) -> Option<&'static str> {
        let names = self.proposed.base.names;
        let fits = match field {
            RecordField::Fact => true,
            RecordField::Kind => value.as_str().is_some_and(|kind| kind.eq_ignore_ascii_case("gateway")),
            // A code that is not known cannot be compared.
            RecordField::Code => {
                value.as_str().is_some_and(|code| names.code.is_none() || names.code.as_deref() == Some(code))
            }
            RecordField::Enabled => value.as_bool() == Some(true),
            RecordField::Management(key) => self.holds("management", key, value),
            RecordField::ManagementNetwork => self.is_management_network(value),
        };
        let message = match field {
            RecordField::Fact | RecordField::Kind => "this is not the record of a gateway",
            RecordField::Code => "this is the code of another gateway",
            RecordField::Enabled => "a change may not disable the gateway",
            RecordField::Management(_) | RecordField::ManagementNetwork => {
                "a change may not set [management]"
            }
        };
        (!fits).then_some(message)
    }

    /// Returns whether a name or id may be that of the network of the management API. An id that no network here has is
    /// known to the control plane only.
    fn is_management_network(&self, value: &Item) -> bool {
        let Some(named) = value.as_str() else { return false };
        let networks = self.own.get("network").and_then(Item::as_table_like);
        let name = networks.into_iter().flat_map(|all| all.iter()).find_map(|(name, network)| {
            let id = network.get("id").and_then(Item::as_str);
            (name == named || id == Some(named)).then_some(name)
        });
        name.is_none_or(|name| self.holds("management", "network", &toml_edit::value(name)))
    }

    /// Sets the primary provider. With a legacy section, which chooses one too, that one may be repeated.
    fn primary(&mut self, value: &Item) {
        let (text, registry) = (editable::text_of(&self.own), self.proposed.base.registry);
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
        let Some(used) = ProviderMeaning::of(&text, name, self.proposed.base.registry) else {
            return self.reject(&["provider", name], "a change may not add a provider");
        };
        let written = |own: &DocumentMut| own.get("provider").is_some_and(|all| all.get(name).is_some());
        let missing = !written(&self.own);
        for (key, value) in section.iter() {
            let current = self.own.get("provider").and_then(|all| all.get(name)).and_then(|own| own.get(key));
            let holds = same(current, value) || used.holds(key, value_of(value).as_ref());
            match authority("provider.*", key) {
                _ if holds && (!missing || used.legacy.is_some()) => {}
                _ if holds => self.set(&["provider", name], key, value),
                Authority::Local(reason) => self.reject(&["provider", name, key], reason),
                Authority::Shared => {
                    if used.legacy.is_some() {
                        self.migrate();
                    }
                    self.set(&["provider", name], key, value);
                }
            }
        }
    }
}
