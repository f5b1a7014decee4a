use std::collections::BTreeMap;
use std::fmt;

/// Files that a proposal writes, by their names relative to the directory of config.toml.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Edits(BTreeMap<String, String>);

impl Edits {
    pub(crate) fn insert(&mut self, name: impl Into<String>, text: impl Into<String>) {
        self.0.insert(name.into(), text.into());
    }

    /// What is proposed for the file `name`.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, text)| (name.as_str(), text.as_str()))
    }

    /// The names of the proposed files below `prefix` that end with `.{extension}`.
    pub(crate) fn below<'a>(&'a self, prefix: &'a str, extension: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.keys().filter_map(move |name| {
            let rest = name.strip_prefix(prefix)?;
            let ends = rest.rsplit_once('.').is_some_and(|(_, e)| e == extension);
            (ends && !rest.contains('/')).then_some(rest)
        })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Edits {
    /// The names only: a configuration may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
