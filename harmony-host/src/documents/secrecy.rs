//! The decision which documents hold a secret: they are written for their owner only, and transforms are not pushed.

use crate::diagnostics::mask::holds_secrets;
use crate::diagnostics::secret_names::names_next;
use crate::diagnostics::secret_values::{is_secret_value, secret_parts};
use crate::diagnostics::sensitive::Sensitive;

/// Returns whether the file `name` with this text holds a secret, by the detection that also masks and leaves out.
pub(crate) fn holds_secret(name: &str, text: &str, sensitive: &Sensitive) -> bool {
    match name.ends_with(".json") {
        true => serde_json::from_str(text).is_ok_and(|json| json_holds_secret(&json, sensitive)),
        false => holds_secrets(text, sensitive),
    }
}

/// Returns whether a JSON document may hold a secret. Parts of a transform cannot be left out.
pub(crate) fn json_holds_secret(value: &serde_json::Value, sensitive: &Sensitive) -> bool {
    match value {
        serde_json::Value::Object(members) => members.iter().any(|(key, value)| {
            sensitive.is_secret(&["transform", "", key], false) && has_text(value)
                || json_holds_secret(value, sensitive)
        }),
        serde_json::Value::Array(items) => {
            let named = |items: &[serde_json::Value]| match items {
                [serde_json::Value::String(name), value] => has_text(value) && names_next(name, false),
                _ => false,
            };
            let pair = |item: &serde_json::Value| match item.as_array().map(|pair| &pair[..]) {
                Some([serde_json::Value::String(name), value]) => has_text(value) && names_next(name, true),
                _ => false,
            };
            items.windows(2).any(named)
                || items.iter().any(|item| pair(item) || json_holds_secret(item, sensitive))
        }
        serde_json::Value::String(text) => is_secret_value(text) || !secret_parts(text).is_empty(),
        _ => false,
    }
}

/// Returns whether a JSON value has a text or a number.
fn has_text(value: &serde_json::Value) -> bool {
    match value {
        serde_json::Value::Object(members) => members.values().any(has_text),
        serde_json::Value::Array(items) => items.iter().any(has_text),
        serde_json::Value::String(text) => !text.is_empty(),
        serde_json::Value::Number(_) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::keys::secrets::known;

    #[test]
    fn transforms_with_secrets_are_found() {
        let holds = |json: &str| {
            json_holds_secret(
                &serde_json::from_str(json).unwrap(),
                &Sensitive::new(known, &["door_*".to_owned()]),
            )
        };
        for secret in [r#"[{"spec":{"api_key":"x"}}]"#, r#"{"a":["https://u:p@h"]}"#, r#"{"door_x":"1"}"#]
            .into_iter()
            .chain([
                r#"{"password":1}"#,
                r#"{"psk":["x"]}"#,
                r#"["--token","x"]"#,
                r#"[["pwd","x"]]"#,
                r#"{"a":"Pwd=x"}"#,
            ])
        {
            assert!(holds(secret), "{secret}");
        }
        assert!(!holds(r#"[{"operation":"shift","spec":{"id":"patient.id"}}]"#));
    }
}
