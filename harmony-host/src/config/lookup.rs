//! Lookup of definitions by name.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, OnceLock};

use crate::config::alternatives::KnownNames;
use crate::diagnostics::problem::Problems;
use crate::diagnostics::source::{Place, Source, Spanned};

/// The entry of `invalid_sections` that stands for all sections that a syntax error may hide.
pub(crate) const SYNTAX_BROKEN: &str = "*";

/// The number of places that a message about several definitions names.
const PLACES: usize = 12;

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
pub(crate) struct Lookup<'a, T> {
    by_name: HashMap<&'a str, Candidates<'a, T>>,
    /// The names, for the remedies of unknown ones. Made when the first one is unknown.
    names: OnceLock<KnownNames>,
    /// The names of definitions that could not be read.
    invalid: HashSet<String>,
    /// Set if a syntax error may hide definitions.
    syntax_broken: bool,
}

/// The definitions of a name: almost always one.
#[derive(Debug)]
struct Candidates<'a, T> {
    first: &'a Arc<T>,
    others: Vec<&'a Arc<T>>,
}

impl<'a, T> Candidates<'a, T> {
    fn all(&self) -> impl Iterator<Item = &'a Arc<T>> {
        std::iter::once(self.first).chain(self.others.iter().copied())
    }
}

impl<'a, T: Named> Lookup<'a, T> {
    /// Creates a lookup of all definitions.
    pub(crate) fn new(all: impl Iterator<Item = &'a Arc<T>>) -> Self {
        let mut by_name: HashMap<&str, Candidates<'_, T>> = HashMap::new();
        for item in all {
            by_name
                .entry(item.name())
                .and_modify(|same| same.others.push(item))
                .or_insert_with(|| Candidates { first: item, others: Vec::new() });
        }
        Self { by_name, names: OnceLock::new(), invalid: HashSet::new(), syntax_broken: false }
    }

    /// Adds sections that exist but could not be read, given as `endpoints.x`.
    #[must_use]
    pub(crate) fn with_invalid<'s>(mut self, sections: impl Iterator<Item = &'s String>) -> Self {
        for section in sections {
            self.syntax_broken |= section == SYNTAX_BROKEN;
            let own = section.strip_prefix(T::SECTION).and_then(|name| name.strip_prefix('.'));
            self.invalid.extend(own.map(str::to_owned));
        }
        self
    }

    /// Creates a lookup of definitions whose names must be unique in all files; adds an error for each duplicate.
    pub(crate) fn unique(all: impl Iterator<Item = &'a Arc<T>>, problems: &mut Problems) -> Self {
        let lookup = Self::new(all);
        for same in lookup.by_name.values() {
            same.others.iter().for_each(|second| report_duplicate(&**same.first, &**second, problems));
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
            Err(none) if none.is_empty() && (self.syntax_broken || self.invalid.contains(&name.value)) => {
                None
            }
            Err(candidates) => {
                let section = T::SECTION;
                let what = name.value.escape_debug();
                if candidates.is_empty() {
                    let known = self.names.get_or_init(|| KnownNames::new(self.by_name.keys().copied()));
                    problems
                        .error(Some(&name.place), used_by, format!("there is no [{section}.{what}]"))
                        .help(known.alternatives(&name.value));
                } else {
                    let places: Vec<String> =
                        candidates.iter().take(PLACES).map(|c| c.place().to_string()).collect();
                    let more = candidates.len() - places.len();
                    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
                    let message = format!(
                        "[{section}.{what}] is defined in several other files: {}{more}",
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
    pub(crate) fn get(&self, name: &str, file: &Arc<Source>) -> Result<Arc<T>, Vec<&'a Arc<T>>> {
        let Some(all) = self.by_name.get(name) else { return Err(Vec::new()) };
        let is_own = |item: &&Arc<T>| Arc::ptr_eq(item.place().source(), file);
        // Many files may define the same name. After config.toml, which is the first, they are in the order of their names.
        let at = all.others.partition_point(|item| item.place().source().name() < file.name());
        let own = Some(all.first).filter(is_own).or_else(|| all.others.get(at).copied().filter(is_own));
        match own.or(Some(all.first).filter(|_| all.others.is_empty())) {
            Some(found) => Ok(Arc::clone(found)),
            None => Err(all.all().collect()),
        }
    }

    /// Returns true if no file defines `name`.
    pub(crate) fn is_undefined(&self, name: &str) -> bool {
        !self.by_name.contains_key(name)
    }

    /// Returns all definitions.
    pub(crate) fn all(&self) -> impl Iterator<Item = &'a Arc<T>> {
        self.by_name.values().flat_map(Candidates::all)
    }
}

/// Adds the error for the second definition of a name that must be unique.
pub(crate) fn report_duplicate<T: Named>(first: &T, second: &T, problems: &mut Problems) {
    let key = format!("{}.{}", T::SECTION, second.name());
    let message = format!("this name is already used at {}", first.place());
    problems.error(Some(second.place()), key, message).help("rename or delete one of the two");
}
