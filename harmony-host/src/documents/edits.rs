//! Proposed changes to the configuration files.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// The files of a proposal, by name relative to the directory of config.toml.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Edits {
    files: BTreeMap<String, String>,
    /// The files that already have the proposed content.
    same: BTreeSet<String>,
    /// The dotted keys that the proposal sets in a file of which it keeps the rest.
    keys: BTreeMap<String, Vec<String>>,
    /// The files that are written to the overlay.
    overlaid: BTreeSet<String>,
    /// The files that are removed.
    removed: BTreeSet<String>,
}

impl Edits {
    /// Adds a file to write.
    pub(crate) fn insert(&mut self, name: impl Into<String>, text: impl Into<String>) {
        self.files.insert(name.into(), text.into());
    }

    /// Adds a file that already has the proposed content.
    pub(crate) fn insert_same(&mut self, name: impl Into<String>) {
        self.same.insert(name.into());
    }

    /// Adds a file to remove.
    pub(crate) fn remove(&mut self, name: impl Into<String>) {
        self.removed.insert(name.into());
    }

    /// Returns whether the file `name` is removed.
    pub(crate) fn removes(&self, name: &str) -> bool {
        self.removed.contains(name)
    }

    /// Returns the names of the files to remove.
    pub(crate) fn removed(&self) -> impl Iterator<Item = &str> {
        self.removed.iter().map(String::as_str)
    }

    /// Hides a file that cannot be removed, because its directory is read-only: an empty one in the overlay is read instead.
    pub(crate) fn hide(&mut self, name: &str) {
        self.removed.remove(name);
        self.insert(name, "");
        self.overlay(name);
    }

    /// Returns the names of the files that already have the proposed content.
    pub(crate) fn same(&self) -> impl Iterator<Item = &str> {
        self.same.iter().map(String::as_str)
    }

    /// Notes the keys that the proposal sets in the file `name`, of which it keeps the rest.
    pub(crate) fn set_keys(&mut self, name: impl Into<String>, keys: Vec<String>) {
        self.keys.insert(name.into(), keys);
    }

    /// Returns the keys that the proposal sets in a file of which it keeps the rest; `None` for a whole file.
    pub(crate) fn keys_of(&self, name: &str) -> Option<&[String]> {
        self.keys.get(name).map(Vec::as_slice)
    }

    /// Notes that the file `name` is written to the overlay.
    pub(crate) fn overlay(&mut self, name: impl Into<String>) {
        self.overlaid.insert(name.into());
    }

    /// Returns whether the file `name` is written to the overlay.
    pub(crate) fn is_overlaid(&self, name: &str) -> bool {
        self.overlaid.contains(name)
    }

    /// Returns the proposed text of the file `name`.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.files.get(name).map(String::as_str)
    }

    /// Returns the name and text of every file to write.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files.iter().map(|(name, text)| (name.as_str(), text.as_str()))
    }

    /// Returns the names, without `prefix`, of the files to write directly below `prefix` that end with `.{extension}`.
    pub(crate) fn below<'a>(&'a self, prefix: &'a str, extension: &'a str) -> impl Iterator<Item = &'a str> {
        self.files.keys().filter_map(move |name| {
            let rest = name.strip_prefix(prefix)?;
            let ends = rest.rsplit_once('.').is_some_and(|(_, e)| e == extension);
            (ends && !rest.contains('/')).then_some(rest)
        })
    }

    /// Adds the edits of a newer proposal: for each file the newer one counts, also if it leaves the file as it is.
    pub(crate) fn merge(&mut self, newer: &Self) {
        for name in newer.files.keys().chain(&newer.same) {
            self.files.remove(name);
            self.same.remove(name);
            self.keys.remove(name);
            self.overlaid.remove(name);
        }
        self.files.extend(newer.files.iter().map(|(name, text)| (name.clone(), text.clone())));
        self.same.extend(newer.same.iter().cloned());
        self.keys.extend(newer.keys.iter().map(|(name, keys)| (name.clone(), keys.clone())));
        self.overlaid.extend(newer.overlaid.iter().cloned());
    }

    /// Returns the names of all files of the proposal: those to write, and those that have its content already.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.files.keys().chain(&self.same).map(String::as_str)
    }

    /// Returns whether there is no file to write or to remove.
    pub(crate) fn is_empty(&self) -> bool {
        self.files.is_empty() && self.removed.is_empty()
    }
}

impl fmt::Debug for Edits {
    /// Writes the names only: the texts may contain secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.files.keys()).finish()
    }
}
