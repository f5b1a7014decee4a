//! Texts in the JSON of the control plane. A whole number is read as its digits: it has no other reading as an id.

use serde::{Deserialize as _, Deserializer, de::Error as _};
use serde_json::Value;

/// Returns a JSON value as text: a string, or the digits of a whole number. `None` for every other value.
pub(crate) fn as_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) if number.is_u64() || number.is_i64() => Some(number.to_string()),
        _ => None,
    }
}

/// Decodes a text that must be there.
pub(crate) fn text<'de, D: Deserializer<'de>>(value: D) -> Result<String, D::Error> {
    as_text(&Value::deserialize(value)?).ok_or_else(|| D::Error::custom("expected a text"))
}

/// Decodes a text that may be absent or null, and nothing else.
pub(crate) fn optional<'de, D: Deserializer<'de>>(value: D) -> Result<Option<String>, D::Error> {
    match Value::deserialize(value)? {
        Value::Null => Ok(None),
        value => as_text(&value).map(Some).ok_or_else(|| D::Error::custom("expected a text or null")),
    }
}

/// Decodes a text that nothing depends on. A value of another type counts as absent.
pub(crate) fn descriptive<'de, D: Deserializer<'de>>(value: D) -> Result<Option<String>, D::Error> {
    Ok(as_text(&Value::deserialize(value)?))
}

/// Decodes a list of texts that nothing depends on. Items of another type are left out, and another value is an empty list.
pub(crate) fn list<'de, D: Deserializer<'de>>(value: D) -> Result<Vec<String>, D::Error> {
    match Value::deserialize(value)? {
        Value::Array(items) => Ok(items.iter().filter_map(as_text).collect()),
        _ => Ok(Vec::new()),
    }
}

/// Reports whether `value` is `id`, or has it anywhere within.
pub(crate) fn names(value: &Value, id: &str) -> bool {
    match value {
        Value::Array(items) => items.iter().any(|item| names(item, id)),
        Value::Object(fields) => fields.iter().any(|(key, value)| key == id || names(value, id)),
        value => as_text(value).is_some_and(|text| text == id),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn whole_numbers_are_texts() {
        for (value, text) in
            [(json!("a"), "a"), (json!(7), "7"), (json!(-7), "-7"), (json!(u64::MAX), "18446744073709551615")]
        {
            assert_eq!(as_text(&value).as_deref(), Some(text));
        }
        for value in [json!(7.5), json!(1e30), json!(null), json!(true), json!(["a"]), json!({ "a": "a" })] {
            assert_eq!(as_text(&value), None, "{value}");
        }
    }

    #[test]
    fn id_is_found_in_every_form_of_a_list() {
        for value in [
            json!("7"),
            json!(7),
            json!(["x", "7"]),
            json!({ "0": 7 }),
            json!([{ "id": "7" }]),
            json!({ "7": "why" }),
        ] {
            assert!(names(&value, "7"), "{value}");
        }
        for value in [json!(null), json!([]), json!(["77"]), json!({ "a": [7.5] })] {
            assert!(!names(&value, "7"), "{value}");
        }
    }
}
