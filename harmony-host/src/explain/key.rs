//! A key of the configuration: its meaning, its value and what sets it.

use serde::Serialize;

use crate::config::keys::key::{Authority, Effect, Key, Kind};
use crate::config::keys::sections::{SECTIONS, SectionKeys};
use crate::explain::Asked;
use crate::explain::definition::Written;
use crate::explain::origin::Origin;

/// A key of the configuration.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct KeyExplanation {
    /// The whole key, such as `network.default.http.bind_port`.
    pub(crate) key: String,
    pub(crate) generation: u64,
    /// The meaning, in one sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) meaning: Option<String>,
    /// The type of the value, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) expected: Option<String>,
    /// Set if a file sets the key. Otherwise its default counts.
    pub(crate) set: bool,
    /// The value as it is written, or `hidden` if it may be a secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) value: Option<String>,
    /// Set if the value is not shown, since it may be a secret.
    pub(crate) hidden: bool,
    /// The value that counts, if it is known and not that which is written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) effective: Option<String>,
    /// The effect of the key in this gateway, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) effect: Option<&'static str>,
    /// The parties that may set it, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) may_be_set_by: Option<String>,
    /// The files that set it; several only for definitions of the same name.
    pub(crate) defined: Vec<Origin>,
}

/// A key of the table, with its section.
#[derive(Clone, Copy)]
pub(super) struct Known {
    pub(super) section: &'static SectionKeys,
    pub(super) key: &'static Key,
}

/// Returns the entry of the table for a whole key.
pub(super) fn known(key: &str) -> Option<Known> {
    let parts: Vec<&str> = key.split('.').collect();
    SECTIONS.iter().find_map(|section| {
        let own: Vec<&str> = section.path.split('.').collect();
        let fits =
            parts.len() > own.len() && own.iter().zip(&parts).all(|(own, part)| *own == "*" || own == part);
        let name = parts.get(own.len()..).filter(|_| fits)?.join(".");
        section.keys.iter().find(|key| key.name == name).map(|key| Known { section, key })
    })
}

impl Asked<'_> {
    /// Explains a key that the table has, or that a file sets.
    pub(super) fn key(&self, key: &str, known: Option<Known>, written: &[Written]) -> KeyExplanation {
        let first = written.first();
        let value = first.and_then(|one| one.leaf.shown()).map(str::to_owned);
        let authority = known.map(|known| known.key.authority.unwrap_or(known.section.authority));
        let effective = self.effective(key).filter(|effective| !is_same(value.as_deref(), effective));
        let is_secret = known.is_some_and(|known| known.key.secret);
        KeyExplanation {
            key: key.to_owned(),
            generation: self.snapshot.generation,
            meaning: known.map(|known| known.key.doc.to_owned()),
            expected: known.map(|known| expected(known.key.kind)),
            set: first.is_some(),
            hidden: first.is_some() && value.is_none(),
            value,
            effective: effective.filter(|_| !is_secret),
            effect: known.map(|known| effect(known.key.effect)),
            may_be_set_by: authority.map(|authority| match authority {
                Authority::Shared => "the operator, and a change of a control plane".to_owned(),
                Authority::Local(reason) => format!("the operator only: {reason}"),
            }),
            defined: written.iter().map(|one| self.origin(&one.key, &one.place, &one.key)).collect(),
        }
    }
}

/// Returns whether a value as it is written has this meaning.
fn is_same(written: Option<&str>, effective: &str) -> bool {
    written.is_some_and(|written| written.trim_matches(['"', '\'']) == effective)
}

fn expected(kind: Kind) -> String {
    match kind {
        Kind::Text => "a string".to_owned(),
        Kind::Words(words) => format!("one of {}", words.join(", ")),
        Kind::Flag => "true or false".to_owned(),
        Kind::Integer(least, u64::MAX) => format!("a whole number, at least {least}"),
        Kind::Integer(least, most) => format!("a whole number from {least} to {most}"),
        Kind::Texts => "a list of strings".to_owned(),
        Kind::Sides => "a list of strings, or a table with one list for each side".to_owned(),
        Kind::Table | Kind::Map => "a table".to_owned(),
        Kind::Tables => "a list of tables".to_owned(),
    }
}

fn effect(effect: Effect) -> &'static str {
    match effect {
        Effect::Served => "applied",
        Effect::NotServed => "not served: what uses it is answered 501, or not opened",
        Effect::None => "none: its value is only checked",
        Effect::Unsupported => "rejected: this gateway does not have it",
    }
}
