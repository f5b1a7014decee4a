//! The decision which documents hold a secret: they are written for their owner only, and transforms are not pushed.

use std::sync::{Arc, Mutex, PoisonError};

use crate::diagnostics::mask::holds_secrets;
use crate::diagnostics::named_values::{is_named_value, named_items, names_a_value};
use crate::diagnostics::secret_names::looks_secret;
use crate::diagnostics::secret_values::{is_secret_value, secret_parts};
use crate::diagnostics::sensitive::Sensitive;
use crate::diagnostics::source::Source;
use crate::documents::editable;
use crate::documents::json::Json;

/// The answer whether a text holds a secret. The text is read once for each decision about what is one.
#[derive(Debug, Default)]
pub(crate) struct Secrecy(Mutex<Option<(Arc<Sensitive>, bool)>>);

impl Secrecy {
    /// Returns whether a document holds a secret, by the decision that its source has.
    pub(crate) fn of(&self, source: &Source) -> bool {
        let sensitive = source.sensitive();
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((by, found)) = &*known
            && Arc::ptr_eq(by, &sensitive)
        {
            return *found;
        }
        let found = match source.name().ends_with(".json") {
            true => json_holds_secret(source.text(), &sensitive),
            false => holds_secrets(source.text(), &sensitive),
        };
        *known = Some((sensitive, found));
        found
    }
}

/// Returns whether the file `name` with this text holds a secret, by the detection that also masks and leaves out. A
/// document that cannot be read to its end, for its depth, may hold one.
pub(crate) fn holds_secret(name: &str, text: &str, sensitive: &Sensitive) -> bool {
    match name.ends_with(".json") {
        true => json_holds_secret(text, sensitive),
        false => editable::parse(text).is_err() || holds_secrets(text, sensitive),
    }
}

/// Returns whether a JSON document may hold a secret. Parts of a transform cannot be left out.
pub(crate) fn json_holds_secret(text: &str, sensitive: &Sensitive) -> bool {
    serde_json::from_str(text).map_or(true, |json| holds(&json, "", sensitive))
}

/// Returns whether a value at `key` may hold a secret.
fn holds(value: &Json, key: &str, sensitive: &Sensitive) -> bool {
    match value {
        Json::Object(members) => {
            let names_secret = members
                .iter()
                .any(|(key, value)| names_a_value(key) && value.text().is_some_and(looks_secret));
            members.iter().any(|(key, value)| {
                let is_secret = sensitive.is_secret(&["transform", "", key], false)
                    || names_secret && is_named_value(key);
                is_secret && has_text(value) || is_secret_text(key) || holds(value, key, sensitive)
            })
        }
        Json::Array(items) => {
            let texts: Vec<Option<&str>> = items.iter().map(Json::text).collect();
            let named = named_items(key, &texts);
            items.iter().zip(named).any(|(item, named)| {
                named && has_text(item) || is_pair_with_secret(item) || holds(item, key, sensitive)
            })
        }
        Json::Text(text) => is_secret_text(text),
        Json::Number | Json::Other => false,
    }
}

/// Returns whether a value is a list of a secret's name and its value.
fn is_pair_with_secret(value: &Json) -> bool {
    match value {
        Json::Array(pair) => {
            matches!(&pair[..], [Json::Text(name), value] if has_text(value) && looks_secret(name))
        }
        _ => false,
    }
}

fn is_secret_text(text: &str) -> bool {
    is_secret_value(text) || !secret_parts(text).is_empty()
}

/// Returns whether a JSON value has a text or a number.
fn has_text(value: &Json) -> bool {
    match value {
        Json::Object(members) => members.iter().any(|(_, value)| has_text(value)),
        Json::Array(items) => items.iter().any(has_text),
        Json::Text(text) => !text.is_empty(),
        Json::Number => true,
        Json::Other => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::keys::secrets::known;

    #[test]
    fn transforms_with_secrets_are_found() {
        let sensitive = Sensitive::new(known, &["door_*".to_owned()]);
        let deep = |inner: &str| format!("{}{inner}{}", "[".repeat(200), "]".repeat(200));
        for secret in [
            r#"[{"spec":{"api_key":"x"}}]"#,
            r#"{"a":["https://u:p@h"]}"#,
            r#"{"door_x":"1"}"#,
            r#"{"password":1}"#,
            r#"{"psk":["x"]}"#,
            r#"["--token","x"]"#,
            r#"[["pwd","x"]]"#,
            r#"{"a":"Pwd=x"}"#,
            r#"{"pass":"x"}"#,
            r#"{"pass\u0077ord":"x"}"#,
            r#"{"headers":["X-Api-Key","x1"]}"#,
            r#"{"name":"X-Api-Key","value":"x"}"#,
            r#"{"field":"pw","default":"x"}"#,
            r#"{"spec":{"password":"x"},"spec":1}"#,
            r#"{"password":"x","password":""}"#,
            r#"{"Bearer x":1}"#,
            r#"{"u":"https://hooks.slack.com/services/T/B/x"}"#,
            &deep(r#"{"a":1}"#),
            "{",
        ] {
            assert!(json_holds_secret(secret, &sensitive), "{secret}");
            assert!(holds_secret("transforms/a.json", secret, &sensitive), "{secret}");
        }
        for plain in [
            r#"[{"operation":"shift","spec":{"id":"patient.id"}}]"#,
            r#"[{"operation":"remove","spec":{"fields":["password","name"]}}]"#,
            r#"[{"operation":"default","spec":{"name":"x","value":"y","key":1.5e300,"n":null,"b":true}}]"#,
        ] {
            assert!(!json_holds_secret(plain, &sensitive), "{plain}");
        }
    }

    #[test]
    fn what_cannot_be_read_may_hold_a_secret() {
        let sensitive = Sensitive::default();
        let deep = format!("a = {}1{}", "[".repeat(1000), "]".repeat(1000));
        for unread in [&deep, "a = ", "[a"] {
            assert!(holds_secret("pipelines/a.toml", unread, &sensitive), "{unread}");
        }
        assert!(!holds_secret("pipelines/a.toml", "a = $X\n", &sensitive));
    }
}
