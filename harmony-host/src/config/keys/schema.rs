//! The table of keys as a JSON Schema, for editors.

use serde_json::{Map, Value, json};

use crate::config::keys::key::{Effect, Key, Kind};
use crate::config::keys::sections::{SECTIONS, SectionKeys};

/// Returns the JSON Schema (draft 2020-12) of config.toml and of the files of pipelines and meshes.
pub(crate) fn json_schema() -> Value {
    let mut root = object("A configuration of a Harmony gateway.", false);
    for section in SECTIONS {
        let path: Vec<&str> = section.path.split('.').collect();
        let place = descend(&mut root, &path);
        *place = of_section(section, place.take());
    }
    root["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    root["title"] = json!("Harmony gateway configuration");
    root["additionalProperties"] = json!(true);
    root
}

/// Returns the schema of an object. With `closed`, it permits no other properties.
fn object(description: &str, closed: bool) -> Value {
    json!({ "type": "object", "description": description, "properties": {}, "additionalProperties": !closed })
}

/// Returns the schema at a path of sections. Creates the schemas on the path that do not exist yet.
fn descend<'v>(mut at: &'v mut Value, path: &[&str]) -> &'v mut Value {
    for name in path {
        let next = match *name {
            "*" => {
                at["propertyNames"] = json!({ "pattern": "^[a-z0-9_-]+$" });
                &mut at["additionalProperties"]
            }
            name => &mut at["properties"][name],
        };
        if !next.is_object() {
            *next = object("", false);
        }
        at = next;
    }
    at
}

/// Returns the schema of a section, with the properties of its inner sections in `inner`.
fn of_section(section: &SectionKeys, inner: Value) -> Value {
    let mut schema = object(section.doc, !section.open);
    if let Some(properties) = inner.get("properties").and_then(Value::as_object) {
        schema["properties"] = Value::Object(properties.clone());
    }
    for key in section.keys.iter().filter(|key| !key.name.contains('.')) {
        schema["properties"][key.name] = of_key(key, section.keys);
    }
    schema
}

fn of_key(key: &Key, all: &[Key]) -> Value {
    let mut schema = match key.kind {
        Kind::Text => json!({ "type": "string" }),
        Kind::Words(words) => json!({ "enum": words }),
        Kind::Flag => json!({ "type": "boolean" }),
        Kind::Integer(least, u64::MAX) => json!({ "type": "integer", "minimum": least }),
        Kind::Integer(least, most) => json!({ "type": "integer", "minimum": least, "maximum": most }),
        Kind::Texts => json!({ "type": "array", "items": { "type": "string" } }),
        Kind::Sides => json!({ "type": ["array", "object"] }),
        Kind::Tables => json!({ "type": "array", "items": { "type": "object" } }),
        Kind::Map => json!({ "type": "object" }),
        Kind::Table => {
            let prefix = format!("{}.", key.name);
            let inner = all.iter().filter_map(|key| Some((key.name.strip_prefix(&prefix)?, key)));
            let properties: Map<String, Value> = inner
                .filter(|(name, _)| !name.contains('.'))
                .map(|(name, key)| (name.to_owned(), of_key(key, all)))
                .collect();
            json!({ "type": "object", "properties": properties })
        }
    };
    let effect = match key.effect {
        Effect::Served => "",
        Effect::NotServed => " Not served by this gateway: requests that need it are answered 501.",
        Effect::None => " Without effect in this gateway.",
        Effect::Unsupported => " Rejected by this gateway, which does not support it.",
    };
    schema["description"] = json!(format!("{}{effect}", key.doc));
    if key.secret {
        schema["writeOnly"] = json!(true);
    }
    schema
}
