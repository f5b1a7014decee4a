//! What can be wrong with a configuration, and how it is collected.

use std::collections::HashSet;
use std::fmt;

use crate::diagnostics::source::Place;

/// Something that is wrong, or at least worth knowing, about a configuration.
#[derive(Clone, Debug)]
pub struct Problem {
    /// Whether the configuration is refused for it.
    pub severity: Severity,
    /// The file and line, when it is about a line.
    pub place: Option<Place>,
    /// The file when it is about a whole file, or the key, dotted: `mesh.imaging.jwt_secret`.
    pub key: String,
    /// What is wrong and what was expected. Never shows a secret.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

/// How bad a [`Problem`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The configuration is served; this should be known.
    Warning,
    /// The configuration is refused.
    Error,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        write!(f, "{}: {}", self.key, self.message)?;
        match &self.help {
            Some(help) => write!(f, " ({help})"),
            None => Ok(()),
        }
    }
}

/// Every problem of one configuration, found in one pass.
#[derive(Clone, Debug, Default)]
pub struct Problems {
    list: Vec<Problem>,
}

impl Problems {
    /// Adds an error. The result lets the caller add a remedy with [`Entry::help`].
    pub fn error(
        &mut self,
        place: Option<&Place>,
        key: impl Into<String>,
        message: impl Into<String>,
    ) -> Entry<'_> {
        self.push(Severity::Error, place, key.into(), message.into())
    }

    /// Adds a warning.
    pub fn warn(
        &mut self,
        place: Option<&Place>,
        key: impl Into<String>,
        message: impl Into<String>,
    ) -> Entry<'_> {
        self.push(Severity::Warning, place, key.into(), message.into())
    }

    fn push(&mut self, severity: Severity, place: Option<&Place>, key: String, message: String) -> Entry<'_> {
        self.list.push(Problem { severity, place: place.cloned(), key, message, help: None });
        Entry { problems: self }
    }

    /// Takes over what another pass found.
    pub fn extend(&mut self, other: &Self) {
        self.list.extend(other.list.iter().cloned());
    }

    /// Gives the problems without a place the place of their key.
    pub(crate) fn locate(&mut self, place_of: impl Fn(&str) -> Option<Place>) {
        for problem in self.list.iter_mut().filter(|problem| problem.place.is_none()) {
            problem.place = place_of(&problem.key);
        }
    }

    /// Whether the configuration is refused.
    pub fn refuse(&self) -> bool {
        self.errors().next().is_some()
    }

    /// The errors.
    pub fn errors(&self) -> impl Iterator<Item = &Problem> {
        self.list.iter().filter(|p| p.severity == Severity::Error)
    }

    /// The warnings.
    pub fn warnings(&self) -> impl Iterator<Item = &Problem> {
        self.list.iter().filter(|p| p.severity == Severity::Warning)
    }

    /// Everything, in the order of files and lines.
    pub fn sorted(&self) -> Vec<&Problem> {
        let mut all: Vec<&Problem> = self.list.iter().collect();
        all.sort_by_key(|p| {
            let place = p.place.as_ref();
            (place.map(|p| p.file().to_owned()), place.map(|p| p.span().start))
        });
        all
    }

    /// The errors, in the order of files and lines.
    pub fn sorted_errors(&self) -> Vec<&Problem> {
        self.sorted().into_iter().filter(|problem| problem.severity == Severity::Error).collect()
    }

    /// Keeps one of each: what two pipelines share is wrong once.
    pub(crate) fn dedup(&mut self) {
        let mut seen = HashSet::new();
        self.list.retain(|problem| seen.insert(problem.to_string()));
    }

    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
}

impl From<Vec<Problem>> for Problems {
    fn from(list: Vec<Problem>) -> Self {
        Self { list }
    }
}

/// The problem just added.
#[derive(Debug)]
pub struct Entry<'a> {
    problems: &'a mut Problems,
}

impl Entry<'_> {
    /// Says what to do about it.
    pub fn help(self, help: impl Into<String>) {
        if let Some(last) = self.problems.list.last_mut() {
            last.help = Some(help.into());
        }
    }
}
