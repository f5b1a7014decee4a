//! The values that a merged document must have.

use toml::{Table, Value};

/// The values that a merged document must have: those before the change, with what the change brings.
///
/// A document is merged in its layout, where a table may come to stand behind the wrong element of an array or be
/// defined twice. So the values are merged beside it, and compared at the end.
#[derive(Debug)]
pub(super) struct Outcome {
    values: Table,
}

impl Outcome {
    /// Starts with the values of a document.
    pub(super) fn of(document: &str) -> Self {
        Self { values: toml::from_str(document).unwrap_or_default() }
    }

    /// Sets one value.
    pub(super) fn set(&mut self, path: &[&str], key: &str, value: Option<Value>) {
        let mut table = &mut self.values;
        for name in path {
            let inner = table.entry(*name).or_insert_with(|| Value::Table(Table::new()));
            let Value::Table(inner) = inner else { return };
            table = inner;
        }
        if let Some(value) = value {
            table.insert(key.to_owned(), value);
        }
    }

    /// Returns the first key at which a document does not have these values.
    pub(super) fn difference(&self, document: &str) -> Option<String> {
        match toml::from_str::<Table>(document) {
            Ok(merged) => different(&self.values, &merged, ""),
            Err(_) => Some("config.toml".to_owned()),
        }
    }
}

fn different(expected: &Table, merged: &Table, path: &str) -> Option<String> {
    let names = expected.keys().chain(merged.keys().filter(|name| !expected.contains_key(*name)));
    names.into_iter().find_map(|name| {
        let key = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        match (expected.get(name), merged.get(name)) {
            (Some(Value::Table(expected)), Some(Value::Table(merged))) => different(expected, merged, &key),
            (Some(expected), Some(merged)) => (!equal(expected, merged)).then_some(key),
            _ => Some(key),
        }
    })
}

/// Returns whether two values are the same. Unlike with `==`, `nan` is the same as `nan`.
pub(super) fn equal(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Float(one), Value::Float(other)) => one == other || (one.is_nan() && other.is_nan()),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| equal(one, other))
        }
        (Value::Table(one), Value::Table(other)) => different(one, other, "").is_none(),
        (one, other) => one == other,
    }
}
