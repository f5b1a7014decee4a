//! Problems of a configuration, and the list that collects them.

use std::collections::{HashMap, HashSet};
use std::fmt;

use crate::diagnostics::escape::escape;
use crate::diagnostics::near_secret::without_random;
use crate::diagnostics::redaction::redact;
use crate::diagnostics::source::Place;

/// An error or a warning about a configuration.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Problem {
    /// The severity: an error rejects the configuration.
    pub severity: Severity,
    /// The place in a file, if the problem has one.
    pub place: Option<Place>,
    /// The dotted key, such as `mesh.imaging.jwt_secret`; the file name if the problem is about a whole file.
    pub key: String,
    /// The description: the mistake and the expected value. Never contains a secret.
    pub message: String,
    /// The suggested remedy.
    pub help: Option<String>,
}

/// The severity of a [`Problem`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Severity {
    /// The configuration is accepted.
    Warning,
    /// The configuration is rejected.
    Error,
}

impl Problem {
    /// Formats the problem for another machine: without paths of this one.
    pub(crate) fn without_paths(&self) -> String {
        let mut problem = self.clone();
        let place = problem.place.take();
        match place {
            Some(place) => format!("{}:{}: {problem}", escape(place.file()), place.line()),
            None => problem.to_string(),
        }
    }

    /// Returns whether the problem is about the text of a whole file, such as a syntax error.
    fn is_about_syntax(&self) -> bool {
        self.place.as_ref().is_some_and(|place| place.file() == self.key)
    }
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

/// All problems of one configuration, found in one pass.
#[derive(Clone, Debug, Default)]
pub struct Problems {
    list: Vec<Problem>,
}

impl Problems {
    /// Adds an error. [`Entry::help`] of the result adds a remedy.
    pub fn error(
        &mut self,
        place: Option<&Place>,
        key: impl Into<String>,
        message: impl Into<String>,
    ) -> Entry<'_> {
        self.push(Severity::Error, place, key.into(), message.into())
    }

    /// Adds a warning. [`Entry::help`] of the result adds a remedy.
    pub fn warn(
        &mut self,
        place: Option<&Place>,
        key: impl Into<String>,
        message: impl Into<String>,
    ) -> Entry<'_> {
        self.push(Severity::Warning, place, key.into(), message.into())
    }

    fn push(&mut self, severity: Severity, place: Option<&Place>, key: String, message: String) -> Entry<'_> {
        self.add(Problem { severity, place: place.cloned(), key, message, help: None });
        Entry { problems: self }
    }

    /// Adds a problem. Its texts are escaped here, once for every output: keys and messages repeat text of documents.
    pub(crate) fn add(&mut self, mut problem: Problem) {
        escape_in(&mut problem.key);
        problem.message = printed(&problem.message);
        problem.help = problem.help.as_deref().map(printed);
        self.list.push(problem);
    }

    /// Adds all problems of `other`.
    pub fn extend(&mut self, other: &Self) {
        self.list.extend(other.list.iter().cloned());
    }

    /// Sets the place of problems without one to the place of their key.
    pub(crate) fn locate(&mut self, place_of: impl Fn(&str) -> Option<Place>) {
        for problem in self.list.iter_mut().filter(|problem| problem.place.is_none()) {
            problem.place = place_of(&problem.key);
        }
    }

    /// Returns whether the configuration is rejected: whether there is an error.
    pub fn refuse(&self) -> bool {
        self.errors().next().is_some()
    }

    /// Returns the errors, in the order they were added.
    pub fn errors(&self) -> impl Iterator<Item = &Problem> {
        self.list.iter().filter(|p| p.severity == Severity::Error)
    }

    /// Returns the warnings, in the order they were added.
    pub fn warnings(&self) -> impl Iterator<Item = &Problem> {
        self.list.iter().filter(|p| p.severity == Severity::Warning)
    }

    /// Returns all problems, sorted by file and position.
    pub fn sorted(&self) -> Vec<&Problem> {
        let mut all: Vec<&Problem> = self.list.iter().collect();
        all.sort_by_key(|p| {
            let place = p.place.as_ref();
            (place.map(|p| p.file().to_owned()), place.map(|p| p.span().start))
        });
        all
    }

    /// Returns the errors, sorted by file and position.
    pub fn sorted_errors(&self) -> Vec<&Problem> {
        self.sorted().into_iter().filter(|problem| problem.severity == Severity::Error).collect()
    }

    /// Removes the problems for which `keep` returns false.
    pub(crate) fn retain(&mut self, keep: impl Fn(&Problem) -> bool) {
        self.list.retain(keep);
    }

    /// Replaces the message of each problem for which `reworded` returns a new one.
    pub(crate) fn reword(&mut self, reworded: impl Fn(&Problem) -> Option<String>) {
        for problem in &mut self.list {
            if let Some(message) = reworded(problem) {
                problem.message = message;
            }
        }
    }

    /// Removes duplicates: a mistake in a section that two pipelines use is reported once.
    ///
    /// Removes further errors of a file with a syntax error as well: those after it, and those about what a section
    /// lacks. The parser guesses there.
    pub(crate) fn dedup(&mut self) {
        let mut broken: HashMap<String, usize> = HashMap::new();
        for place in
            self.errors().filter(|problem| problem.is_about_syntax()).filter_map(|p| p.place.as_ref())
        {
            let first = broken.entry(place.file().to_owned()).or_insert(usize::MAX);
            *first = place.line().min(*first);
        }
        let is_guess = |problem: &Problem| {
            let Some(place) = problem.place.as_ref().filter(|_| !problem.is_about_syntax()) else {
                return false;
            };
            broken.get(place.file()).is_some_and(|first| place.line() >= *first || place.is_in_header())
        };
        if !broken.is_empty() {
            self.list.retain(|problem| !is_guess(problem));
        }
        let mut seen = HashSet::new();
        self.list.retain(|problem| seen.insert(problem.to_string()));
    }

    /// Returns whether there is no problem.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
}

impl From<Vec<Problem>> for Problems {
    fn from(list: Vec<Problem>) -> Self {
        let mut problems = Self::default();
        list.into_iter().for_each(|problem| problems.add(problem));
        problems
    }
}

/// The problem that was just added.
#[derive(Debug)]
#[non_exhaustive]
pub struct Entry<'a> {
    problems: &'a mut Problems,
}

impl Entry<'_> {
    /// Sets the remedy of the problem.
    pub fn help(self, help: impl Into<String>) {
        if let Some(last) = self.problems.list.last_mut() {
            last.help = Some(printed(&help.into()));
        }
    }
}

/// Makes a text fit for every output: no values of variables, no control characters.
fn escape_in(text: &mut String) {
    let shown = escape(&redact(text)).into_owned();
    if shown != *text {
        *text = shown;
    }
}

/// Makes a text that quotes values fit for every output: a secret may be where a name or a path should be.
pub(crate) fn printed(text: &str) -> String {
    escape(&without_random(&redact(text))).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostics::source::Source;

    /// The texts of a problem are one line in every output, also the name of its file.
    #[test]
    fn problems_are_escaped() {
        let mut problems = Problems::default();
        let place = Place::new(&Source::new("a\u{1b}[31m.toml", "x"), 0..1);
        problems.error(Some(&place), "k\n", "m\u{1b}[2J").help("h\r\n");
        let shown = problems.errors().next().map(ToString::to_string).unwrap_or_default();
        assert_eq!(shown, "a\\u{1b}[31m.toml:1: k\\n: m\\u{1b}[2J (h\\r\\n)");
    }
}
