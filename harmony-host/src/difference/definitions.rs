//! Differences in the keys of files, by the definitions that they belong to.

use std::collections::BTreeMap;

use crate::difference::changed_file::ChangedFile;
use crate::difference::draft::Drafts;
use crate::difference::entry::{Kind, Sign};
use crate::difference::keys::{Keys, Leaf, clause, keys_of};
use crate::documents::Document;

/// The sections with one definition for each name.
const NAMED: [(&str, Kind); 12] = [
    ("pipelines", Kind::Pipeline),
    ("endpoints", Kind::Endpoint),
    ("backends", Kind::Backend),
    ("targets", Kind::Target),
    ("peers", Kind::Peer),
    ("middleware", Kind::Middleware),
    ("middleware_types", Kind::Middleware),
    ("authentications", Kind::Authentication),
    ("mesh", Kind::Mesh),
    ("remote_ingress", Kind::RemoteIngress),
    ("network", Kind::Network),
    ("provider", Kind::Provider),
];

/// The kind and the name of a definition.
type Name = (Kind, String);

/// The values of one definition, by the rest of their keys.
type Values = BTreeMap<String, Leaf>;

/// Compares the definitions in files that differ. A definition that is in another file now is the same.
pub(super) fn compare(files: &[ChangedFile<'_>], drafts: &mut Drafts) {
    let (mut gone, mut new) = (Vec::new(), Vec::new());
    for (_, old_file, new_file) in files {
        let (mut old, new_ones) = (definitions(*old_file), definitions(*new_file));
        for (name, values) in new_ones {
            match old.remove(&name) {
                Some(before) => add(&name, Some(&before), Some(&values), drafts),
                None => new.push((name, values)),
            }
        }
        gone.extend(old);
    }
    let mut gone_by_name: BTreeMap<Name, Vec<Values>> = BTreeMap::new();
    for (name, values) in gone {
        gone_by_name.entry(name).or_default().push(values);
    }
    for (name, values) in new {
        let before = gone_by_name.get_mut(&name).and_then(Vec::pop);
        add(&name, before.as_ref(), Some(&values), drafts);
    }
    for (name, left) in gone_by_name {
        left.iter().for_each(|values| add(&name, Some(values), None, drafts));
    }
}

/// Adds the difference of a definition, if there is any.
fn add((kind, name): &Name, old: Option<&Values>, new: Option<&Values>, drafts: &mut Drafts) {
    let sign = Sign::of(old.is_some(), new.is_some());
    let (none, is_key) = (Values::new(), matches!(kind, Kind::Setting | Kind::Management));
    let (before, after) = (old.unwrap_or(&none), new.unwrap_or(&none));
    let keys = before.keys().chain(after.keys().filter(|key| !before.contains_key(*key)));
    let mut clauses: Vec<(&String, String)> = Vec::new();
    for key in keys {
        let (was, is) = (before.get(key), after.get(key));
        if !was.zip(is).is_some_and(|(was, is)| was.is_same(is)) {
            clauses.push((key, clause(was, is)));
        }
    }
    clauses.sort();
    let in_words = |(key, clause): (&String, String)| {
        if key.is_empty() { clause } else { format!("{key} {clause}") }
    };
    match sign {
        Sign::Changed if clauses.is_empty() => {}
        Sign::Changed => drafts.add(sign, *kind, name, clauses.into_iter().map(in_words)),
        // All keys of a definition that comes or goes do so with it.
        Sign::Added | Sign::Removed => {
            drafts.add(sign, *kind, name, clauses.into_iter().filter(|_| is_key).map(in_words));
        }
    }
}

/// Returns the definitions of a file. Each key of a section without names is one of its own.
fn definitions(file: Option<&Document>) -> BTreeMap<Name, Values> {
    let mut all: BTreeMap<Name, Values> = BTreeMap::new();
    let keys = file.and_then(Document::fragment).map_or_else(Keys::new, |file| keys_of(&file.source));
    for (path, leaf) in keys {
        let (name, key) = named(&path);
        all.entry(name).or_default().insert(key, leaf);
    }
    all
}

/// Returns the definition that a key belongs to, and the rest of the key.
fn named(path: &[String]) -> (Name, String) {
    let section = path.first().map_or("", String::as_str);
    let kind = NAMED.iter().find(|(known, _)| *known == section).map(|(_, kind)| *kind);
    match (kind, path) {
        (Some(kind), [_, name, rest @ ..]) => ((kind, name.clone()), rest.join(".")),
        _ if section == "management" => ((Kind::Management, path.join(".")), String::new()),
        _ => ((Kind::Setting, path.join(".")), String::new()),
    }
}
