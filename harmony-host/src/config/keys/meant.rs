//! The key that an unknown key probably means.

use std::borrow::Cow;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::config::keys::key::Key;
use crate::config::keys::resemblance::{is_of_security, resembles, shares};
use crate::config::keys::sections::{SECTIONS, SectionKeys};
use crate::config::keys::spelling::{nearest, plain};
use crate::config::keys::strays::{self, Owner, home_of, last};

/// A key of a document, with its value.
#[derive(Clone, Copy)]
pub(super) struct Entry<'a> {
    pub(super) name: &'a Spanned<Cow<'a, str>>,
    pub(super) value: &'a Spanned<DeValue<'a>>,
}

/// The remedy for an unknown key.
#[derive(Debug)]
pub(crate) struct Meant {
    pub(crate) help: String,
    /// Set if the key is probably meant to be security-relevant: it is then always an error.
    pub(crate) guards: bool,
}

/// Returns the remedy for a key in another section than that in which it has an effect.
pub(super) fn elsewhere(home: &str) -> String {
    format!("it has an effect in [{home}]: move it there, or delete it")
}

/// Returns the known name that a name means: the nearest one, one that it begins, or one with which it shares a word.
pub(crate) fn meant_of<'k>(given: &str, known: &[&'k str]) -> Option<&'k str> {
    let given = given.trim();
    let all = || known.iter().copied();
    let lower = plain(given);
    let begun = || all().find(|name| lower.len() > 1 && name.starts_with(&lower));
    nearest(given, all()).or_else(begun).or_else(|| all().find(|name| shares(given, name)))
}

/// Returns the remedy for a key outside of every section; `None` for a key of others.
pub(super) fn meant_outside(name: &str) -> Option<Meant> {
    let all = || SECTIONS.iter().flat_map(|section| section.keys.iter().map(move |key| (section, key)));
    let plain_name = plain(name.trim());
    let guarding = || all().filter(|(_, key)| key.guards);
    let meant = nearest(name, guarding().map(|(_, key)| last(key)));
    let near = meant.and_then(|meant| guarding().find(|(_, key)| last(key) == meant));
    let near = near.or_else(|| guarding().find(|(_, key)| resembles(name, key)));
    let exact = all().find(|(_, key)| last(key) == plain_name);
    let (section, key) = exact.or(near)?;
    let help = format!("did you mean `{}` in [{}]?", last(key), home_of(section, key));
    Some(Meant { help, guards: near.is_some() })
}

/// Returns the remedy for an unknown key of a section, in the table below it that `prefix` leads to.
pub(super) fn meant(section: &SectionKeys, prefix: &str, table: &DeTable<'_>, entry: Entry<'_>) -> Meant {
    let own: &str = entry.name.get_ref();
    let known = known_in(section, prefix);
    let names = || known.iter().map(|(name, _)| *name);
    // A key that the table already contains is hardly the intended one.
    let free = names().filter(|name| !table.contains_key(*name));
    let lower = own.to_ascii_lowercase();
    let begun = || {
        let mut guarding = known.iter().filter(|(_, guards)| *guards).map(|(name, _)| *name);
        guarding.find(|name| lower.len() > 2 && name.starts_with(&lower))
    };
    let meant = nearest(own, free).or_else(|| nearest(own, names())).or_else(begun);
    let misplaced = misplaced(section, own).filter(|_| meant.is_none());
    let resembling =
        || section.keys.iter().filter(|key| protects(section, key)).find(|key| resembles(own, key));
    let inner =
        || known.iter().filter(|(_, guards)| *guards).map(|(name, _)| *name).find(|name| shares(own, name));
    let resembled = || resembling().map(|key| key.name).or_else(inner);
    let stray = strays::strays(entry.name, entry.value.get_ref(), table, Owner::Host).pop();
    let guards = misplaced.is_some()
        || stray.is_some()
        || resembled().is_some()
        || is_of_security(own)
        || known.iter().any(|(name, guards)| Some(*name) == meant && *guards);
    let help = if let Some(meant) = meant.map(str::to_owned).or(misplaced) {
        format!("did you mean `{meant}`?")
    } else if let Some(stray) = stray {
        elsewhere(&stray.home)
    } else if let Some(meant) = resembled() {
        format!("did you mean `{meant}`?")
    } else {
        format!("known keys: {}", names().collect::<Vec<_>>().join(", "))
    };
    Meant { help, guards }
}

/// Returns the names of the keys and inner sections of a table, each with whether it is security-relevant.
fn known_in(section: &SectionKeys, prefix: &str) -> Vec<(&'static str, bool)> {
    let direct =
        |name: &'static str, prefix: &str| name.strip_prefix(prefix).filter(|name| !name.contains('.'));
    let keys = section.keys.iter();
    let mut known: Vec<_> =
        keys.filter_map(|key| Some((direct(key.name, prefix)?, protects(section, key)))).collect();
    if prefix.is_empty() {
        let below = format!("{}.", section.path);
        let inner =
            SECTIONS.iter().filter_map(|section| section.path.strip_prefix(&below)?.split('.').next());
        // Every inner section has security-relevant keys.
        known.extend(inner.filter(|name| *name != "*").map(|name| (name, true)));
    }
    known.dedup();
    known
}

/// Returns the security-relevant key of another table of the section or below it that `own` means: it has no effect where
/// it is.
fn misplaced(section: &SectionKeys, own: &str) -> Option<String> {
    let below = |other: &'static SectionKeys| {
        other.path.strip_prefix(section.path).filter(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    let all = || {
        SECTIONS.iter().filter_map(move |other| Some((below(other)?, other))).flat_map(|(below, other)| {
            other.keys.iter().filter(|key| key.guards).map(move |key| (below, key))
        })
    };
    let short = |key: &Key| own.len() > 2 && last(key).starts_with(&plain(own));
    let meant = nearest(own, all().map(|(_, key)| last(key)));
    let exact = all().find(|(_, key)| last(key) == own);
    let near = || all().find(|(_, key)| Some(last(key)) == meant || short(key));
    let (below, key) = exact.or_else(near)?;
    Some(format!("{below}.{}", key.name).trim_start_matches('.').to_owned())
}

/// Returns whether a key, or a key below it, is security-relevant.
fn protects(section: &SectionKeys, key: &Key) -> bool {
    let below = format!("{}.", key.name);
    key.guards || section.keys.iter().any(|inner| inner.guards && inner.name.starts_with(&below))
}
