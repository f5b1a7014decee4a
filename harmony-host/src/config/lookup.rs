use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::diagnostics::problem::Problems;
use crate::diagnostics::source::{Place, Source, Spanned};

/// The entry that stands for every section that broken syntax may hide.
pub(crate) const SYNTAX_BROKEN: &str = "*";

/// A named definition in a file.
pub(crate) trait Named {
    /// The section it is defined in: `endpoints`.
    const SECTION: &'static str;
    fn name(&self) -> &str;
    fn place(&self) -> &Place;
}

/// All definitions of one section over all files.
///
/// Files are merged, and several files of the public examples define the same endpoint, backend or
/// middleware name differently, each for its own pipelines. So a name means the definition of the file it
/// is used in, and only then the one definition elsewhere.
#[derive(Debug)]
pub(crate) struct Lookup<T> {
    by_name: HashMap<String, Vec<Arc<T>>>,
    broken: HashSet<String>,
    /// Whether broken syntax may hide definitions.
    torn: bool,
}

impl<T: Named> Lookup<T> {
    pub(crate) fn new<'a>(all: impl Iterator<Item = &'a Arc<T>>) -> Self
    where
        T: 'a,
    {
        let mut by_name: HashMap<String, Vec<Arc<T>>> = HashMap::new();
        for item in all {
            by_name.entry(item.name().to_owned()).or_default().push(Arc::clone(item));
        }
        Self { by_name, broken: HashSet::new(), torn: false }
    }

    /// Knows of sections that are there and could not be read, given as `endpoints.x`.
    #[must_use]
    pub(crate) fn with_broken<'a>(mut self, sections: impl Iterator<Item = &'a String>) -> Self {
        for section in sections {
            self.torn |= section == SYNTAX_BROKEN;
            let own = section.strip_prefix(T::SECTION).and_then(|name| name.strip_prefix('.'));
            self.broken.extend(own.map(str::to_owned));
        }
        self
    }

    /// Like [`new`](Self::new), for things whose name may be given once only.
    pub(crate) fn unique<'a>(all: impl Iterator<Item = &'a Arc<T>>, problems: &mut Problems) -> Self
    where
        T: 'a,
    {
        let lookup = Self::new(all);
        for same in lookup.by_name.values() {
            for second in same.iter().skip(1) {
                let key = format!("{}.{}", T::SECTION, second.name());
                let message = format!("this name is already given at {}", same[0].place());
                problems.error(Some(second.place()), key, message).help("rename or delete one of the two");
            }
        }
        lookup
    }

    /// What `name` means in `file`; adds an error and gives `None` when it means nothing, or several things.
    pub(crate) fn find(
        &self,
        name: &Spanned<String>,
        used_by: &str,
        problems: &mut Problems,
    ) -> Option<Arc<T>> {
        let file = name.place.source();
        match self.get(&name.value, file) {
            Ok(found) => Some(found),
            // It was said already what is wrong with the section itself.
            Err([]) if self.torn || self.broken.contains(&name.value) => None,
            Err(candidates) => {
                let section = T::SECTION;
                let what = name.value.escape_debug();
                if candidates.is_empty() {
                    let mut known: Vec<&str> = self.by_name.keys().map(String::as_str).collect();
                    known.sort_unstable();
                    problems
                        .error(Some(&name.place), used_by, format!("there is no [{section}.{what}]"))
                        .help(format!("defined are: {}", listed(&known)));
                } else {
                    let places: Vec<String> = candidates.iter().map(|c| c.place().to_string()).collect();
                    let message = format!(
                        "[{section}.{what}] is defined in several other files: {}",
                        places.join(", ")
                    );
                    problems
                        .error(Some(&name.place), used_by, message)
                        .help("define it in this file, or once for all");
                }
                None
            }
        }
    }

    /// What `name` means in `file`, or the candidates when that is not one thing.
    pub(crate) fn get(&self, name: &str, file: &Arc<Source>) -> Result<Arc<T>, &[Arc<T>]> {
        let all = self.by_name.get(name).map_or(&[][..], Vec::as_slice);
        let own = all.iter().find(|item| Arc::ptr_eq(item.place().source(), file));
        match (own, all) {
            (Some(own), _) => Ok(Arc::clone(own)),
            (None, [only]) => Ok(Arc::clone(only)),
            (None, several) => Err(several),
        }
    }

    /// Every definition.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<T>> {
        self.by_name.values().flatten()
    }
}

/// A list of names for a message, shortened when it is long.
pub(crate) fn listed(names: &[&str]) -> String {
    const SHOWN: usize = 12;
    match names {
        [] => "none".to_owned(),
        few if few.len() <= SHOWN => few.join(", "),
        many => format!("{} and {} more", many[..SHOWN].join(", "), many.len() - SHOWN),
    }
}
