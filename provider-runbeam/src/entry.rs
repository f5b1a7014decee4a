//! An entry of the list of pending changes.

use provider_api::{ChangeHead, ChangeId, DocumentKind};
use serde_json::Value;

use crate::addressee::Listed;
use crate::texts::as_text;

/// The maximum length of `type` and `created_at` in bytes.
const MAX_BYTES: usize = 64;

/// The most entries that the message names.
const NAMED: usize = 3;

/// Reads an entry: a change, and the gateway that it is for.
///
/// # Errors
/// The reason why it cannot be taken as a change. A `created_at` that is not text counts as absent; a `gateway_id` that
/// cannot be read must not make the change ours.
pub(crate) fn read(entry: &Value) -> Result<Listed, &'static str> {
    let fields = entry.as_object().ok_or("it is no object, or has a value that cannot be read")?;
    let field = |name: &str| fields.get(name).filter(|value| !value.is_null());
    let id = as_text(field("id").ok_or("it has no `id`")?).ok_or("its `id` is not text")?;
    let id = ChangeId::new(id).ok_or("its `id` is not 1 to 64 characters of A-Z, a-z, 0-9, _ and -")?;
    let kind = field("type").ok_or("it has no `type`")?.as_str().ok_or("its `type` is not text")?;
    if kind.trim().is_empty() {
        return Err("its `type` is blank");
    }
    if !is_short(kind) {
        return Err("its `type` is too long, or has control characters");
    }
    let created_at = field("created_at").and_then(Value::as_str).filter(|text| is_short(text));
    let gateway = match field("gateway_id") {
        Some(value) => Some(as_text(value).ok_or("its `gateway_id` is not text")?),
        None => None,
    };
    let gateway = gateway.map(|id| id.trim().to_owned()).filter(|id| !id.is_empty());
    let head = ChangeHead { id, kind: DocumentKind::from(kind), created_at: created_at.map(str::to_owned) };
    Ok((head, gateway))
}

fn is_short(text: &str) -> bool {
    text.len() <= MAX_BYTES && !text.chars().any(char::is_control)
}

/// The entries of a list that are not taken, with the reasons of the first ones.
#[derive(Debug, Default)]
pub(crate) struct Unusable {
    count: usize,
    named: Vec<String>,
}

impl Unusable {
    /// Adds the entry at `position`, counted from 1, with the reason.
    pub(crate) fn add(&mut self, position: usize, entry: &Value, reason: &str) {
        self.count += 1;
        if self.named.len() < NAMED {
            let id = entry.get("id").and_then(as_text).filter(|id| !id.trim().is_empty());
            let id = id.map_or_else(String::new, |id| {
                format!(", `{}`", id.escape_debug().take(40).collect::<String>())
            });
            self.named.push(format!("entry {position}{id}: {reason}"));
        }
    }

    /// Returns the number of entries.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// Returns the reason in one sentence; `None` if there is no such entry.
    pub(crate) fn reason(&self) -> Option<String> {
        let entries = match self.count {
            0 => return None,
            1 => "1 entry that is no change".to_owned(),
            n => format!("{n} entries that are no changes"),
        };
        let more = match self.count - self.named.len() {
            0 => String::new(),
            more => format!("; and {more} more"),
        };
        Some(format!(
            "the control plane lists {entries} and cannot be taken ({}{more}); correct them at the control plane",
            self.named.join("; ")
        ))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_field_has_its_types() {
        let good =
            json!({ "id": "01A", "type": "mesh", "created_at": "2026-01-01T00:00:00Z", "gateway_id": "g" });
        let with = |field: &str, value: Value| {
            let mut entry = good.clone();
            entry[field] = value;
            read(&entry)
        };
        assert_eq!(read(&good).unwrap().1.as_deref(), Some("g"));
        assert_eq!(with("id", json!(7)).unwrap().0.id.as_str(), "7");
        assert_eq!(with("gateway_id", json!(7)).unwrap().1.as_deref(), Some("7"));
        for absent in [json!(null), json!(""), json!(" ")] {
            assert_eq!(with("gateway_id", absent).unwrap().1, None);
        }
        for odd in [json!(7), json!([]), json!({}), json!("x".repeat(65)), json!("\u{1b}[2J"), json!(null)] {
            assert_eq!(with("created_at", odd).unwrap().0.created_at, None);
        }
        let long = json!("x".repeat(65));
        for bad in [
            json!(null),
            json!([]),
            json!({}),
            json!(true),
            json!(7.5),
            json!(""),
            json!(" "),
            json!("../x"),
            json!("a\nb"),
            long.clone(),
        ] {
            assert!(with("id", bad.clone()).is_err(), "{bad}");
        }
        for bad in [
            json!(null),
            json!([]),
            json!({}),
            json!(true),
            json!(7),
            json!(""),
            json!(" "),
            json!("a\nb"),
            long,
        ] {
            assert!(with("type", bad.clone()).is_err(), "{bad}");
        }
        for bad in [json!([]), json!(["g"]), json!({ "id": "g" }), json!(true), json!(7.5)] {
            assert!(with("gateway_id", bad.clone()).is_err(), "{bad}");
        }
        for bad in [json!(null), json!(7), json!("01A"), json!([good.clone()]), json!({})] {
            assert!(read(&bad).is_err(), "{bad}");
        }
    }
}
