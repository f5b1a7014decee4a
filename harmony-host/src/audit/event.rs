//! The events of the audit log.

use std::collections::BTreeMap;
use std::time::SystemTime;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::audit::Actor;
use crate::diagnostics::redaction::redact;
use crate::status::timestamp;

/// The longest text of an event, in characters.
const MAX_TEXT_CHARS: usize = 2_000;

/// The longest list of an event.
const MAX_ITEMS: usize = 100;

/// One event: what was done or tried, by whom and with what result. Values of environment variables do not get into it;
/// the rest of its texts must be free of secrets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Event {
    /// The time.
    at: Timestamp,
    /// The name of the event, such as `apply`.
    event: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    by: Option<Actor>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    verdict: Option<String>,
    /// Further facts by name.
    #[serde(flatten)]
    details: BTreeMap<String, Value>,
}

impl Event {
    /// Creates an event that happens now.
    pub(crate) fn new(event: &str) -> Self {
        let at = timestamp(SystemTime::now());
        Self { at, event: event.to_owned(), by: None, verdict: None, details: BTreeMap::new() }
    }

    /// Sets who caused it.
    #[must_use]
    pub(crate) fn by(mut self, actor: &Actor) -> Self {
        self.by = Some(actor.clone());
        self
    }

    /// Sets the result, such as `applied`, `rejected`, `done` or `failed`.
    #[must_use]
    pub(crate) fn verdict(mut self, verdict: &str) -> Self {
        self.verdict = Some(verdict.to_owned());
        self
    }

    /// Adds a text. Long ones are cut.
    #[must_use]
    pub(crate) fn text(self, name: &str, text: &str) -> Self {
        self.with(name, Value::String(short(text)))
    }

    /// Adds a list of texts, unless it is empty. Of long lists the first 100 are kept, with the number of the others.
    #[must_use]
    pub(crate) fn texts<S: AsRef<str>>(self, name: &str, texts: &[S]) -> Self {
        if texts.is_empty() {
            return self;
        }
        let mut kept: Vec<String> = texts.iter().take(MAX_ITEMS).map(|text| short(text.as_ref())).collect();
        if texts.len() > MAX_ITEMS {
            kept.push(format!("and {} more", texts.len() - MAX_ITEMS));
        }
        self.with(name, kept.into())
    }

    /// Adds a number.
    #[must_use]
    pub(crate) fn number(self, name: &str, number: u64) -> Self {
        self.with(name, number.into())
    }

    fn with(mut self, name: &str, value: Value) -> Self {
        debug_assert!(!matches!(name, "n" | "at" | "event" | "by" | "verdict" | "mac"), "{name} is taken");
        self.details.insert(name.to_owned(), value);
        self
    }

    /// Returns the name of the event.
    pub(super) fn name(&self) -> &str {
        &self.event
    }

    /// Returns a text of the event.
    pub(super) fn detail(&self, name: &str) -> Option<&str> {
        self.details.get(name)?.as_str()
    }
}

fn short(text: &str) -> String {
    let text = redact(text);
    match text.char_indices().nth(MAX_TEXT_CHARS) {
        Some((end, _)) => format!("{} ...", &text[..end]),
        None => text.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_lists_are_bounded() {
        let long = "\u{e9}".repeat(MAX_TEXT_CHARS + 1);
        let event = Event::new("apply").text("problem", &long).texts("changed", &vec!["x"; MAX_ITEMS + 7]);
        assert_eq!(event.detail("problem").unwrap().chars().count(), MAX_TEXT_CHARS + 4);
        let changed = event.details["changed"].as_array().unwrap();
        assert_eq!((changed.len(), &changed[MAX_ITEMS]), (MAX_ITEMS + 1, &"and 7 more".into()));
    }
}
