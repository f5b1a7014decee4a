//! The keys of the configuration: each that the table calls a secret holds one.

use toml::{Table, Value};

use super::world::World;

/// The reference of all keys.
const REFERENCE: &str = include_str!("../../../docs/CONFIGURATION.md");

/// The places that are not in the files of the configuration at the start.
const ELSEWHERE: [&str; 6] = [
    "a cookie that a backend sets",
    "a URL that a backend sends",
    "a header that a backend sends broken",
    "the machine token",
    "a variable of the environment",
    "a variable for documents of the control plane",
];

/// Returns the dotted keys of documents, each with the text of its value.
pub(super) fn of(documents: &[Table]) -> Vec<(String, String)> {
    let mut keys = Vec::new();
    for document in documents {
        flatten(&mut keys, "", document);
    }
    keys
}

fn flatten(keys: &mut Vec<(String, String)>, above: &str, table: &Table) {
    for (name, value) in table {
        let key = if above.is_empty() { name.clone() } else { format!("{above}.{name}") };
        match value {
            Value::Table(table) => flatten(keys, &key, table),
            Value::String(text) => keys.push((key, text.clone())),
            other => keys.push((key, format!("{other:?}"))),
        }
    }
}

/// Returns the keys that the reference calls secret, with `*` for a name.
fn secret_keys() -> Vec<String> {
    let (mut section, mut keys) = ("", Vec::new());
    for line in REFERENCE.lines() {
        if let Some(title) = line.strip_prefix("## `[") {
            section = title.trim_end_matches("]`");
        }
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        if cells.len() > 4 && cells[3].split(", ").any(|mark| mark == "secret") {
            keys.push(format!("{section}.{}", cells[1].trim_matches('`')));
        }
    }
    keys
}

/// Fails unless each secret of the files is in one of them, and each key of secrets has one.
#[track_caller]
pub(super) fn assert_planted(world: &World) {
    let files = world.files();
    for canary in world.canaries.all().iter().filter(|canary| !ELSEWHERE.contains(&&*canary.place)) {
        assert!(files.contains(&canary.value), "{} is in no file", canary.place);
    }
    let keys = of(&world.documents());
    let secret_keys = secret_keys();
    assert!(secret_keys.len() >= 7, "{secret_keys:?}");
    for secret in secret_keys {
        let parts: Vec<&str> = secret.split('.').collect();
        let fits = |key: &str| {
            let own: Vec<&str> = key.split('.').collect();
            own.len() == parts.len() && own.iter().zip(&parts).all(|(own, part)| *part == "*" || own == part)
        };
        let is_planted = |value: &str| world.canaries.place_of(value).is_some();
        assert!(
            keys.iter().any(|(key, value)| fits(key) && is_planted(value)),
            "{secret} has no secret in this world"
        );
    }
}
