//! The table of keys as a page for people: docs/CONFIGURATION.md.

use std::fmt::Write as _;

use provider_api::Registry;

use crate::config::keys::key::{Authority, Effect, Key, Kind};
use crate::config::keys::sections::{FOREIGN, SECTIONS, SectionKeys};

/// The beginning of the page.
const INTRODUCTION: &str = "# Configuration

This page has every section and key that the gateway reads. It is made from the table by which the gateway checks files:
`harmony-host schema --markdown > docs/CONFIGURATION.md`. `harmony-host schema` prints the same table as a JSON Schema, for
editors.

The main file is config.toml. Pipelines, meshes and transforms may have files of their own in the directories that `[proxy]`
names; a file of a pipeline or a mesh has the same sections. `*` stands for a name of your choice (a-z, 0-9, `_` and `-`). In
strings, `${NAME}` is replaced by a variable of the environment, and `$$` stands for a dollar sign.

`harmony-host check --config PATH` reports every problem with file, line, key and remedy. An unknown key is an error, unless
`--allow-unknown-keys` is given.

Marks in the tables:

* **secret**: the value is masked in every output, and is not pushed to a control plane.
* **guards**: the key authenticates, restricts or routes requests. A likely misspelling of it is always an error.
* **operator**: no change of a control plane sets it.
* **501**: this gateway does not serve what the key asks for; requests that need it are answered 501.
* **no effect**: the value is checked, and does nothing in this gateway.
* **rejected**: this gateway does not support the key, and ignoring it would not be safe.
";

/// Returns the page, with the keys of the provider types of `registry`.
pub(crate) fn markdown(registry: &Registry) -> String {
    let mut page = INTRODUCTION.to_owned();
    for section in SECTIONS {
        write_section(&mut page, section, registry);
    }
    let names: Vec<String> = FOREIGN.iter().map(|name| format!("`[{name}]`")).collect();
    let names = names.join(", ");
    let foreign = format!(
        "\n## Sections of Harmony\n\nThe gateway does not read these sections, and accepts any keys in them: {names}.\n"
    );
    page + &foreign
}

fn write_section(page: &mut String, section: &SectionKeys, registry: &Registry) {
    let _ = write!(page, "\n## `[{}]`\n\n{}\n", section.path, section.doc);
    if let Authority::Local(reason) = section.authority {
        let _ = write!(page, "\nFor the operator: {reason}.\n");
    }
    if section.open {
        page.push_str("\nThe type of the provider defines further keys:\n\n");
        for kind in registry.types() {
            let keys = registry.profile(kind).and_then(|profile| profile.keys).unwrap_or_default();
            let keys: Vec<String> = keys.iter().map(|key| format!("`{key}`")).collect();
            let keys = if keys.is_empty() { "none".to_owned() } else { keys.join(", ") };
            let _ = writeln!(page, "* `{kind}`: {keys}");
        }
    }
    page.push_str("\n| key | value | marks | meaning |\n| --- | --- | --- | --- |\n");
    for key in section.keys {
        let (name, value, marks) = (key.name, value(key.kind), marks(key, section).join(", "));
        let _ = writeln!(page, "| `{name}` | {value} | {marks} | {} |", key.doc.replace('|', "\\|"));
    }
}

/// Returns the values of a key in words.
fn value(kind: Kind) -> String {
    match kind {
        Kind::Text => "string".to_owned(),
        Kind::Words(words) => {
            let words: Vec<String> = words.iter().map(|word| format!("`\"{word}\"`")).collect();
            words.join(" or ")
        }
        Kind::Flag => "`true` or `false`".to_owned(),
        Kind::Integer(least, u64::MAX) => format!("integer from {least}"),
        Kind::Integer(least, most) => format!("integer, {least} to {most}"),
        Kind::Texts => "list of strings".to_owned(),
        Kind::Sides => {
            "list of strings, or a table with a list for requests and one for responses".to_owned()
        }
        Kind::Table => "table".to_owned(),
        Kind::Map => "table with any keys".to_owned(),
        Kind::Tables => "list of tables".to_owned(),
    }
}

fn marks(key: &Key, section: &SectionKeys) -> Vec<&'static str> {
    let authority = key.authority.unwrap_or(section.authority);
    let effect = match key.effect {
        Effect::Served => None,
        Effect::NotServed => Some("501"),
        Effect::None => Some("no effect"),
        Effect::Unsupported => Some("rejected"),
    };
    let marks = [
        key.secret.then_some("secret"),
        key.guards.then_some("guards"),
        matches!(authority, Authority::Local(_)).then_some("operator"),
        effect,
    ];
    marks.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(all(feature = "local", feature = "runbeam"))]
    fn page_is_current() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/CONFIGURATION.md");
        let page = std::fs::read_to_string(file).unwrap();
        let current = markdown(&crate::registry());
        let differs = page.lines().zip(current.lines()).find(|(page, current)| page != current);
        assert_eq!(differs, None, "run `harmony-host schema --markdown > docs/CONFIGURATION.md`");
        assert_eq!(page, current, "run `harmony-host schema --markdown > docs/CONFIGURATION.md`");
    }

    #[test]
    fn every_key_has_a_row() {
        let page = markdown(&Registry::new());
        for section in SECTIONS {
            let (_, rest) = page.split_once(&format!("## `[{}]`\n", section.path)).unwrap();
            let own = rest.split("\n## ").next().unwrap();
            for key in section.keys {
                assert!(own.contains(&format!("\n| `{}` | ", key.name)), "[{}] {}", section.path, key.name);
            }
        }
    }
}
