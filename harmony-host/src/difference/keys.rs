//! The keys of a file with their values, for comparison.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::config::keys::secrets::known;
use crate::config::section::integer;
use crate::diagnostics::mask::mask_secrets;
use crate::diagnostics::sensitive::Known;
use crate::diagnostics::source::Source;
use crate::difference::clip::clipped;

/// The longest value that is shown, in characters.
const SHOWN: usize = 100;

/// The keys of `[provider.*]` whose values are shown. Which others are secret only the provider knows.
const OF_PROVIDERS: [&str; 4] = ["type", "api", "enabled", "poll_interval_secs"];

/// A value.
#[derive(Debug)]
pub(crate) struct Leaf {
    /// Equal for equal values, however they are written. May be a secret.
    canonical: String,
    /// The value for people; `None` if it may be a secret, or has no short form.
    shown: Option<String>,
    span: Range<usize>,
}

/// The values of a file, by the parts of their keys. An empty table is a value too.
pub(crate) type Keys = BTreeMap<Vec<String>, Leaf>;

impl Leaf {
    /// Returns the value for people; `None` if it may be a secret, or has no short form.
    pub(crate) fn shown(&self) -> Option<&str> {
        self.shown.as_deref()
    }

    /// Returns its place in the text.
    pub(crate) fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.canonical == other.canonical
    }
}

/// Returns the difference of two values in words.
pub(super) fn clause(old: Option<&Leaf>, new: Option<&Leaf>) -> String {
    let shown = |leaf: Option<&Leaf>| leaf.and_then(|leaf| leaf.shown.clone());
    match (old, new, shown(old), shown(new)) {
        (Some(_), Some(_), Some(old), Some(new)) => format!("now {new} (was {old})"),
        (Some(_), Some(_), _, _) => "changed".to_owned(),
        (None, Some(_), _, Some(new)) => format!("set to {new}"),
        (None, _, _, _) => "set".to_owned(),
        (Some(_), None, Some(old), _) => format!("no longer set (was {old})"),
        (Some(_), None, None, _) => "no longer set".to_owned(),
    }
}

/// Reads the keys of a file.
pub(crate) fn keys_of(source: &Arc<Source>) -> Keys {
    let (document, _) = DeTable::parse_recoverable(source.toml());
    // Every byte of a secret is an asterisk there, so that spans in one text are spans in the other.
    let masked = mask_secrets(source.text(), &source.sensitive());
    let mut reader = Reader { text: source.text(), masked: &masked, keys: Keys::new() };
    reader.table(document.get_ref(), &mut Vec::new());
    reader.keys
}

struct Reader<'a> {
    text: &'a str,
    masked: &'a str,
    keys: Keys,
}

impl Reader<'_> {
    fn table(&mut self, table: &DeTable<'_>, path: &mut Vec<String>) {
        for (key, value) in table {
            path.push(key.get_ref().to_string());
            match value.get_ref() {
                DeValue::Table(inner) if !inner.is_empty() => self.table(inner, path),
                _ => {
                    let shown = self.shown(path, value);
                    let leaf = Leaf { canonical: canonical(value.get_ref()), shown, span: value.span() };
                    self.keys.insert(path.clone(), leaf);
                }
            }
            path.pop();
        }
    }

    fn shown(&self, path: &[String], value: &Spanned<DeValue<'_>>) -> Option<String> {
        if !may_be_shown(path) || self.text.get(value.span())? != self.masked.get(value.span())? {
            return None;
        }
        let shown = match value.get_ref() {
            DeValue::Array(items) => {
                let items: Option<Vec<&str>> = items.iter().map(|item| self.scalar(item)).collect();
                format!("[{}]", items?.join(", "))
            }
            _ => self.scalar(value)?.to_owned(),
        };
        Some(clipped(&shown, SHOWN))
    }

    fn scalar(&self, value: &Spanned<DeValue<'_>>) -> Option<&str> {
        let is_scalar = !matches!(value.get_ref(), DeValue::Array(_) | DeValue::Table(_));
        let span: Range<usize> = value.span();
        self.text.get(span).filter(|_| is_scalar)
    }
}

/// Returns whether the table of keys has the key, and its value is no secret.
pub(super) fn may_be_shown(path: &[String]) -> bool {
    let parts: Vec<&str> = path.iter().map(String::as_str).collect();
    match parts[..] {
        ["provider", _, key] => OF_PROVIDERS.contains(&key),
        ["provider", ..] => false,
        _ => known(&parts) == Known::Public,
    }
}

fn canonical(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => format!("{text:?}"),
        DeValue::Integer(number) => {
            integer(value).map_or_else(|| number.as_str().to_owned(), |number| number.to_string())
        }
        DeValue::Float(number) => number.as_str().to_owned(),
        DeValue::Boolean(flag) => flag.to_string(),
        DeValue::Datetime(at) => at.to_string(),
        DeValue::Array(items) => {
            let items: Vec<String> = items.iter().map(|item| canonical(item.get_ref())).collect();
            format!("[{}]", items.join(","))
        }
        DeValue::Table(table) => {
            let members = table.iter().map(|(key, value)| (key.get_ref(), canonical(value.get_ref())));
            let members: Vec<String> = members.map(|(key, value)| format!("{key:?}={value}")).collect();
            format!("{{{}}}", members.join(","))
        }
    }
}
