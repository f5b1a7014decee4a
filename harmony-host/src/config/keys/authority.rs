//! The table of keys, asked which values only the operator may set.

use toml::{Table, Value};

use crate::config::keys::key::Key;
use crate::config::keys::sections::{SECTIONS, SectionKeys};

pub(crate) use crate::config::keys::key::Authority;

/// The value of a key that only the operator may set.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct LocalValue {
    /// The names of the sections around the key, and its own.
    pub(crate) path: Vec<String>,
    pub(crate) value: Value,
    /// The message for a change that sets the key.
    pub(crate) reason: &'static str,
}

/// Returns the values in a document that only the operator may set. `false` counts as absent, since that is what the
/// absence of a boolean means.
///
/// Leaves out `[provider.*]`: a change may repeat there what holds without being written.
pub(crate) fn local_values(document: &Table) -> Vec<LocalValue> {
    let mut found = Vec::new();
    for section in SECTIONS.iter().filter(|section| section.path != "provider.*") {
        let pattern: Vec<&str> = section.path.split('.').collect();
        for (path, table) in tables(document, &pattern) {
            found.extend(section.keys.iter().filter_map(|key| local_value(section, key, &path, table)));
        }
    }
    found
}

/// Returns who may set a key of a section. The path of the section is that of the table, with `*` for a name.
pub(crate) fn authority(section: &str, key: &str) -> Authority {
    let Some(section) = SECTIONS.iter().find(|known| known.path == section) else { return Authority::Shared };
    let known = section.keys.iter().find(|known| known.name == key);
    known.map_or(section.authority, |key| of_key(section, key))
}

/// Returns whether a section of the table has the key.
pub(crate) fn is_known(section: &str, key: &str) -> bool {
    SECTIONS.iter().any(|known| known.path == section && known.keys.iter().any(|known| known.name == key))
}

fn of_key(section: &SectionKeys, key: &Key) -> Authority {
    key.authority.unwrap_or(section.authority)
}

fn local_value(section: &SectionKeys, key: &Key, path: &[String], table: &Table) -> Option<LocalValue> {
    let Authority::Local(reason) = of_key(section, key) else { return None };
    let names: Vec<&str> = key.name.split('.').collect();
    let (last, above) = names.split_last()?;
    let inner = above.iter().try_fold(table, |table, name| table.get(*name)?.as_table())?;
    let value = inner.get(*last).filter(|value| value.as_bool() != Some(false))?;
    let path = path.iter().cloned().chain(names.iter().map(|name| (*name).to_owned())).collect();
    Some(LocalValue { path, value: value.clone(), reason })
}

/// Returns the tables of a document that a path leads to, with their real names for `*`.
fn tables<'t>(document: &'t Table, pattern: &[&str]) -> Vec<(Vec<String>, &'t Table)> {
    let mut found = vec![(Vec::new(), document)];
    for name in pattern {
        let inner = |(path, table): (Vec<String>, &'t Table)| {
            let named = table.iter().filter(|(own, _)| *name == "*" || own == name);
            let below = move |own: &String| path.iter().chain([own]).cloned().collect::<Vec<_>>();
            named.filter_map(|(own, value)| Some((below(own), value.as_table()?))).collect::<Vec<_>>()
        };
        found = found.into_iter().flat_map(inner).collect();
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The connection, the management API, the identity, the files and the secrets of a gateway are the operator's.
    #[test]
    fn a_change_may_set_little_of_the_gateway_itself() {
        let shared = |section: &str| -> Vec<&str> {
            let all = SECTIONS.iter().find(|known| known.path == section).unwrap().keys.iter();
            all.map(|key| key.name).filter(|key| authority(section, key) == Authority::Shared).collect()
        };
        assert_eq!(shared("provider.*"), ["poll_interval_secs"]);
        assert_eq!(shared("management"), [""; 0]);
        assert_eq!(shared("proxy"), ["primary_provider"]);
        assert!(matches!(authority("proxy", "a_newer_key"), Authority::Local(_)));
        assert!(matches!(authority("management", "a_newer_key"), Authority::Local(_)));
        assert!(matches!(authority("provider.*", "a_key_of_the_provider"), Authority::Local(_)));
    }

    /// A key that guards is the operator's, except in the sections that are configuration like any.
    #[test]
    fn keys_that_guard_are_local() {
        // Pipelines, and what they are made of, are what a control plane is there for. A change of a network is compared
        // by meaning where the management API is served on it.
        let configuration = [
            "network.*",
            "mesh.*",
            "remote_ingress.*",
            "pipelines.*",
            "pipelines.*.mesh",
            "pipelines.*.mesh.ingress.*",
            "pipelines.*.mesh.egress.*",
            "endpoints.*",
            "backends.*",
            "middleware.*",
            "targets.*",
            "peers.*",
        ];
        let (mut local, mut open) = (Vec::new(), Vec::new());
        for section in SECTIONS {
            let is_open = configuration.contains(&section.path);
            for key in section.keys.iter().filter(|key| key.guards && !is_open) {
                match authority(section.path, key.name) {
                    Authority::Local(_) => local.push(key.name),
                    Authority::Shared => open.push(format!("{}.{}", section.path, key.name)),
                }
            }
        }
        assert_eq!(open, [""; 0]);
        assert!(local.contains(&"content_limits.max_body_size") && local.len() > 8, "{local:?}");
        let sections = SECTIONS.iter().map(|section| section.path);
        let guarded: Vec<&str> = sections.filter(|path| !configuration.contains(path)).collect();
        assert_eq!(guarded, ["proxy", "provider.*", "management"]);
    }

    #[test]
    fn keys_are_found_in_every_section() {
        let text = "[mesh.a]\ntoken_audience = true\n[mesh.b]\ntoken_audience = false\njwt_secret = \"s\"\n\
                    [mesh.\"c.d\"]\n\"token_audience\" = \"$X\"\n[x.mesh.e]\ntoken_audience = true\n";
        let found = local_values(&toml::from_str(text).unwrap());
        let expected = |path: [&str; 3], value: Value| (path.map(str::to_owned).to_vec(), value);
        let shown: Vec<_> = found.into_iter().map(|local| (local.path, local.value)).collect();
        assert_eq!(
            shown,
            [
                expected(["mesh", "a", "token_audience"], true.into()),
                expected(["mesh", "c.d", "token_audience"], "$X".into()),
            ]
        );
    }
}
