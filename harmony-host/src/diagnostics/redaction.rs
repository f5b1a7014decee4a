//! Redaction of the values of environment variables in every text that leaves the process.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock};

use crate::diagnostics::escape::escape;

/// The shortest value that is redacted everywhere. A shorter one is a word or a number that many texts have.
const SHORTEST: usize = 6;

/// The values that documents took from the environment, in each form in which a text may show them, with the variable
/// that stands for each. Values belong to the process as its environment does, so there is one set of them.
static VALUES: RwLock<BTreeMap<String, String>> = RwLock::new(BTreeMap::new());

/// Has [`redact`] replace `value` by the name of its variable.
pub(crate) fn remember(name: &str, value: &str) {
    if value.len() < SHORTEST {
        return;
    }
    let mut values = VALUES.write().unwrap_or_else(PoisonError::into_inner);
    for form in forms(value) {
        values.insert(form, format!("${name}"));
    }
}

/// Returns `text` with every remembered value replaced by `$` and the name of its variable.
pub(crate) fn redact(text: &str) -> Cow<'_, str> {
    let values = VALUES.read().unwrap_or_else(PoisonError::into_inner);
    let mut found: Vec<_> = values.iter().filter(|(value, _)| text.contains(value.as_str())).collect();
    // A value that contains another one is replaced first.
    found.sort_by_key(|(value, _)| std::cmp::Reverse(value.len()));
    found.into_iter().fold(Cow::Borrowed(text), |text, (value, name)| Cow::Owned(text.replace(value, name)))
}

/// Returns the forms of a value in texts: as it is, escaped for people, and as Rust and JSON escape it.
pub(crate) fn forms(value: &str) -> Vec<String> {
    let json = serde_json::Value::from(value).to_string();
    let mut forms = vec![
        value.to_owned(),
        escape(value).into_owned(),
        value.escape_debug().to_string(),
        json.trim_matches('"').to_owned(),
    ];
    forms.sort_unstable();
    forms.dedup();
    forms
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_replaced_by_names() {
        remember("REDACTION_TEST", "a \"canary\"\nof two lines");
        remember("REDACTION_SHORT", "80");
        assert_eq!(redact("port 80: a \"canary\"\nof two lines"), "port 80: $REDACTION_TEST");
        assert_eq!(redact(r#"{"m":"a \"canary\"\nof two lines"}"#), r#"{"m":"$REDACTION_TEST"}"#);
    }
}
