use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Files that a proposal writes, by their names relative to the directory of config.toml.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Edits {
    files: BTreeMap<String, String>,
    /// The files that say already what is proposed.
    same: BTreeSet<String>,
}

impl Edits {
    pub(crate) fn insert(&mut self, name: impl Into<String>, text: impl Into<String>) {
        self.files.insert(name.into(), text.into());
    }

    /// Notes a file that says already what is proposed.
    pub(crate) fn insert_same(&mut self, name: impl Into<String>) {
        self.same.insert(name.into());
    }

    /// The files that say already what is proposed.
    pub(crate) fn same(&self) -> impl Iterator<Item = &str> {
        self.same.iter().map(String::as_str)
    }

    /// What is proposed for the file `name`.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.files.get(name).map(String::as_str)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files.iter().map(|(name, text)| (name.as_str(), text.as_str()))
    }

    /// The names of the proposed files below `prefix` that end with `.{extension}`.
    pub(crate) fn below<'a>(&'a self, prefix: &'a str, extension: &'a str) -> impl Iterator<Item = &'a str> {
        self.files.keys().filter_map(move |name| {
            let rest = name.strip_prefix(prefix)?;
            let ends = rest.rsplit_once('.').is_some_and(|(_, e)| e == extension);
            (ends && !rest.contains('/')).then_some(rest)
        })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.files.is_empty()
    }
}

impl fmt::Debug for Edits {
    /// The names only: a configuration may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.files.keys()).finish()
    }
}
