//! The check that a change names no key or certificate outside of the configuration's directory.

use std::path::Path;
use std::sync::Arc;

use toml::Value as Meaning;

use crate::apply::proposal::proposed::Proposed;
use crate::config::Fragment;
use crate::diagnostics::source::Source;
use crate::documents::editable;
use crate::documents::identity::real;

/// Checks the paths of keys and certificates in a change, of whatever kind: a control plane must not have the gateway
/// read, or trust, another file of the machine. What the configuration has already may be repeated.
pub(super) fn check(proposed: &mut Proposed<'_>, source: &Arc<Source>) {
    let Some(document) = editable::meaning(source.text()) else { return };
    let mut found = Vec::new();
    paths(&document, "", &mut found);
    if found.is_empty() {
        return;
    }
    let named = |fragment: &&Fragment| editable::meaning(fragment.source.text());
    let current: Vec<toml::Table> = proposed.base.fragments.iter().filter_map(named).collect();
    let mut known = Vec::new();
    current.iter().for_each(|table| paths(table, "", &mut known));
    let root = real(proposed.base.documents.config_path().parent().unwrap_or_else(|| Path::new("")));
    for (key, path) in found {
        let held = (key.clone(), path.clone());
        // A permitted variable can hold any path, which is not known before the document is loaded.
        let is_below = !path.contains('$') && real(&root.join(&path)).starts_with(&root);
        if !known.contains(&held) && !is_below {
            let message = "a change may only name files below the directory of config.toml";
            proposed
                .problems
                .error(None, key, message)
                .help("the control plane may not change this setting; edit it on the gateway");
        }
    }
}

/// Collects the keys that name files of keys and certificates, with their values.
fn paths(table: &toml::Table, above: &str, found: &mut Vec<(String, String)>) {
    for (name, value) in table {
        let key = if above.is_empty() { name.clone() } else { format!("{above}.{name}") };
        match value {
            Meaning::Table(inner) => paths(inner, &key, found),
            Meaning::Array(all) => all.iter().filter_map(Meaning::as_table).for_each(|inner| {
                paths(inner, &key, found);
            }),
            Meaning::String(path) if name.ends_with("key_path") || name.ends_with("cert_path") => {
                found.push((key, path.clone()));
            }
            _ => {}
        }
    }
}
