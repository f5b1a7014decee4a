//! The migration of the legacy section of a provider to `[provider.<name>]`.

use provider_api::Registry;
use toml_edit::{DocumentMut, Item, RawString, Table, value};

use crate::apply::proposal::layout::{first_position, set};
use crate::config::fragment::Fragment;
use crate::config::provider::LegacyProvider;
use crate::diagnostics::problem::Problems;
use crate::diagnostics::source::Source;
use crate::documents::editable;

/// Returns the provider that a legacy section of a config.toml configures.
pub(super) fn of(text: &str, registry: &Registry) -> Option<LegacyProvider> {
    let gateway = Fragment::gateway(&Source::new("config.toml", text)).gateway?;
    gateway.providers.legacy(registry, &mut Problems::default())
}

/// Writes the legacy section of a document as `[provider.<name>]` in its place, with its comments, and the primary
/// provider that it chose. Returns whether there was one.
pub(super) fn migrate(document: &mut DocumentMut, registry: &Registry) -> bool {
    let Some(legacy) = of(&editable::text_of(document), registry) else { return false };
    let name = legacy.name.as_str();
    let profile = registry.profile(name).and_then(|profile| profile.legacy);
    let Some(section) = profile else { return false };
    let Some(old) = document.remove(section.name) else { return false };
    let position = first_position(&old);
    let Ok(old) = old.into_table() else { return false };
    let mut new = renamed(old, section.keys);
    new.set_position(position);
    let providers = document.entry("provider").or_insert_with(|| {
        let mut table = Table::new();
        table.set_implicit(true);
        table.set_position(position);
        Item::Table(table)
    });
    if let Some(providers) = providers.as_table_like_mut() {
        providers.insert(name, Item::Table(new));
    }
    let chosen = document.get("proxy").is_some_and(|proxy| proxy.get("primary_provider").is_some());
    if !chosen {
        set(document, &["proxy"], "primary_provider", &value(legacy.primary.as_str()));
    }
    true
}

/// Returns the table with its keys renamed and `enabled` left out, which only chose the primary provider. Its comments
/// go to the next key.
fn renamed(mut old: Table, keys: &[(&str, &str)]) -> Table {
    let mut new = Table::new();
    *new.decor_mut() = old.decor().clone();
    let names: Vec<String> = old.iter().map(|(name, _)| name.to_owned()).collect();
    let mut comments = String::new();
    for name in names {
        let Some((key, item)) = old.remove_entry(&name) else { continue };
        let text = |raw: Option<&RawString>| raw.and_then(RawString::as_str).unwrap_or_default().to_owned();
        let before = text(key.leaf_decor().prefix());
        if name == "enabled" {
            comments.push_str(&before);
            let behind = text(item.as_value().and_then(|value| value.decor().suffix()));
            if behind.contains('#') {
                comments.push_str(&format!("{}\n", behind.trim()));
            }
            continue;
        }
        let renamed = keys.iter().find(|(from, _)| *from == name).map_or(name.as_str(), |(_, to)| to);
        new.insert(renamed, item);
        if let Some(mut key) = new.key_mut(renamed) {
            key.leaf_decor_mut().set_prefix(format!("{comments}{before}"));
            comments.clear();
        }
    }
    if !comments.trim().is_empty() {
        // There is no key behind them.
        let prefix = new.decor().prefix().and_then(RawString::as_str).unwrap_or_default().to_owned();
        new.decor_mut().set_prefix(format!("{prefix}{comments}"));
    }
    new
}
