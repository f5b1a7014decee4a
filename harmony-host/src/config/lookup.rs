//! Lookup of definitions by name.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::config::keys::nearest;
use crate::diagnostics::problem::Problems;
use crate::diagnostics::source::{Place, Source, Spanned};

/// The entry of `invalid_sections` that stands for all sections that a syntax error may hide.
pub(crate) const SYNTAX_BROKEN: &str = "*";

/// A definition with a name.
pub(crate) trait Named {
    /// The section of such definitions, such as `endpoints`.
    const SECTION: &'static str;
    /// Returns the name.
    fn name(&self) -> &str;
    /// Returns the place of the definition.
    fn place(&self) -> &Place;
}

/// All definitions of one section in all files.
///
/// Several files of Harmony's public examples define the same endpoint, backend or middleware name differently, each for
/// its own pipelines. So a name first means the definition in the file that uses it, and otherwise the only definition
/// in another file.
#[derive(Debug)]
pub(crate) struct Lookup<T> {
    by_name: HashMap<String, Vec<Arc<T>>>,
    /// The names of definitions that could not be read.
    invalid: HashSet<String>,
    /// Set if a syntax error may hide definitions.
    syntax_broken: bool,
}

impl<T: Named> Lookup<T> {
    /// Creates a lookup of all definitions.
    pub(crate) fn new<'a>(all: impl Iterator<Item = &'a Arc<T>>) -> Self
    where
        T: 'a,
    {
        let mut by_name: HashMap<String, Vec<Arc<T>>> = HashMap::new();
        for item in all {
            by_name.entry(item.name().to_owned()).or_default().push(Arc::clone(item));
        }
        Self { by_name, invalid: HashSet::new(), syntax_broken: false }
    }

    /// Adds sections that exist but could not be read, given as `endpoints.x`.
    #[must_use]
    pub(crate) fn with_invalid<'a>(mut self, sections: impl Iterator<Item = &'a String>) -> Self {
        for section in sections {
            self.syntax_broken |= section == SYNTAX_BROKEN;
            let own = section.strip_prefix(T::SECTION).and_then(|name| name.strip_prefix('.'));
            self.invalid.extend(own.map(str::to_owned));
        }
        self
    }

    /// Creates a lookup of definitions whose names must be unique in all files; adds an error for each duplicate.
    pub(crate) fn unique<'a>(all: impl Iterator<Item = &'a Arc<T>>, problems: &mut Problems) -> Self
    where
        T: 'a,
    {
        let lookup = Self::new(all);
        for same in lookup.by_name.values() {
            for second in same.iter().skip(1) {
                let key = format!("{}.{}", T::SECTION, second.name());
                let message = format!("this name is already used at {}", same[0].place());
                problems.error(Some(second.place()), key, message).help("rename or delete one of the two");
            }
        }
        lookup
    }

    /// Returns the definition of `name`. Adds an error and returns `None` if there is none, or more than one candidate.
    pub(crate) fn find(
        &self,
        name: &Spanned<String>,
        used_by: &str,
        problems: &mut Problems,
    ) -> Option<Arc<T>> {
        let file = name.place.source();
        match self.get(&name.value, file) {
            Ok(found) => Some(found),
            // The problem of the section itself is already reported.
            Err([]) if self.syntax_broken || self.invalid.contains(&name.value) => None,
            Err(candidates) => {
                let section = T::SECTION;
                let what = name.value.escape_debug();
                if candidates.is_empty() {
                    let known: Vec<&str> = self.by_name.keys().map(String::as_str).collect();
                    problems
                        .error(Some(&name.place), used_by, format!("there is no [{section}.{what}]"))
                        .help(alternatives(&name.value, &known));
                } else {
                    let places: Vec<String> = candidates.iter().map(|c| c.place().to_string()).collect();
                    let message = format!(
                        "[{section}.{what}] is defined in several other files: {}",
                        places.join(", ")
                    );
                    problems
                        .error(Some(&name.place), used_by, message)
                        .help("define it in this file, or in only one other file");
                }
                None
            }
        }
    }

    /// Returns the definition of `name` for `file`, or all candidates if there is not exactly one.
    pub(crate) fn get(&self, name: &str, file: &Arc<Source>) -> Result<Arc<T>, &[Arc<T>]> {
        let all = self.by_name.get(name).map_or(&[][..], Vec::as_slice);
        let own = all.iter().find(|item| Arc::ptr_eq(item.place().source(), file));
        match (own, all) {
            (Some(own), _) => Ok(Arc::clone(own)),
            (None, [only]) => Ok(Arc::clone(only)),
            (None, several) => Err(several),
        }
    }

    /// Returns all definitions.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<T>> {
        self.by_name.values().flatten()
    }
}

/// Returns the remedy for an unknown name: the nearest known one, and those that are defined, the nearest first.
pub(crate) fn alternatives(name: &str, known: &[&str]) -> String {
    let mut sorted = known.to_vec();
    // A name from a document may be long, and the distance takes time.
    let start: String = name.chars().take(64).collect();
    sorted.sort_by_cached_key(|known| (strsim::damerau_levenshtein(&start, known), (*known).to_owned()));
    sorted.dedup();
    let defined = format!("defined are: {}", join_names(&sorted));
    match nearest(name, known.iter().copied()) {
        Some(meant) => format!("did you mean `{meant}`? {defined}"),
        None => defined,
    }
}

/// Joins names for a message, at most 12 of them.
pub(crate) fn join_names(names: &[&str]) -> String {
    const SHOWN: usize = 12;
    match names {
        [] => "none".to_owned(),
        few if few.len() <= SHOWN => few.join(", "),
        many => format!("{} and {} more", many[..SHOWN].join(", "), many.len() - SHOWN),
    }
}
