//! The text of configuration files, and places in it.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use crate::diagnostics::bare::{self, Bare};
use crate::diagnostics::escape::Escaped;
use crate::diagnostics::sensitive::Sensitive;

/// The name and text of a configuration file, as read.
pub(crate) struct Source {
    name: String,
    /// The path of the file, if it is in the overlay.
    overlay: Option<Arc<Path>>,
    text: String,
    /// The text with its bare variables replaced, if it has any.
    toml: OnceLock<(Option<String>, Vec<Bare>)>,
    /// The decision which values are secret.
    sensitive: RwLock<Arc<Sensitive>>,
    line_starts: OnceLock<Vec<usize>>,
}

impl Source {
    /// Creates a source. `name` is relative to the directory of config.toml.
    pub(crate) fn new(name: impl Into<String>, text: impl Into<String>) -> Arc<Self> {
        Self::in_layer(name, None, text)
    }

    /// Creates a source that may be in the overlay, at this path.
    pub(crate) fn in_layer(
        name: impl Into<String>,
        overlay: Option<Arc<Path>>,
        text: impl Into<String>,
    ) -> Arc<Self> {
        let (toml, line_starts) = (OnceLock::new(), OnceLock::new());
        let sensitive = RwLock::default();
        Arc::new(Self { name: name.into(), overlay, text: text.into(), toml, sensitive, line_starts })
    }

    /// Returns the file name, relative to the directory of config.toml.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Returns the path of the file, if it is in the overlay.
    pub(crate) fn overlay(&self) -> Option<&Path> {
        self.overlay.as_deref()
    }

    /// Returns the text of the file.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Sets which values of the file are secret: it depends on the rest of the configuration.
    pub(crate) fn set_sensitive(&self, sensitive: &Arc<Sensitive>) {
        if !Arc::ptr_eq(&self.sensitive.read().unwrap_or_else(PoisonError::into_inner), sensitive) {
            *self.sensitive.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(sensitive);
        }
    }

    /// Returns the decision which values are secret.
    pub(crate) fn sensitive(&self) -> Arc<Sensitive> {
        Arc::clone(&self.sensitive.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Returns the text as TOML, of the same length: a variable that is not in a string is no TOML, and is replaced by a
    /// string.
    pub(crate) fn toml(&self) -> &str {
        self.lexed().0.as_deref().unwrap_or(&self.text)
    }

    /// Returns the variables that are not in a string.
    pub(crate) fn bare(&self) -> &[Bare] {
        &self.lexed().1
    }

    fn lexed(&self) -> &(Option<String>, Vec<Bare>) {
        self.toml.get_or_init(|| match bare::lex(&self.text) {
            (Cow::Owned(toml), found) => (Some(toml), found),
            (Cow::Borrowed(_), found) => (None, found),
        })
    }

    /// Returns the line of a byte offset, counted from 1. Does not read the line: one line may have a problem at every
    /// few bytes.
    pub(crate) fn line(&self, offset: usize) -> usize {
        self.starts().partition_point(|start| *start <= offset).max(1)
    }

    /// Returns the range of the line with a byte offset, without its end. Does not read the line.
    pub(crate) fn line_range(&self, offset: usize) -> Range<usize> {
        let (line, starts) = (self.line(offset), self.starts());
        let start = starts.get(line - 1).copied().unwrap_or_default();
        start..starts.get(line).map_or(self.text.len(), |next| next - 1)
    }

    fn starts(&self) -> &[usize] {
        self.line_starts.get_or_init(|| {
            std::iter::once(0).chain(self.text.match_indices('\n').map(|(at, _)| at + 1)).collect()
        })
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source").field("name", &self.name).field("bytes", &self.text.len()).finish()
    }
}

/// A place in a file of the configuration: a range of bytes in its text.
#[derive(Clone, Debug)]
pub struct Place {
    source: Arc<Source>,
    /// A file has at most 4 MiB.
    start: u32,
    end: u32,
}

impl Place {
    /// Creates the place of the bytes `span` in `source`.
    pub(crate) fn new(source: &Arc<Source>, span: Range<usize>) -> Self {
        let bounded = |offset: usize| u32::try_from(offset).unwrap_or(u32::MAX);
        Self { source: Arc::clone(source), start: bounded(span.start), end: bounded(span.end) }
    }

    /// Returns the file.
    pub(crate) fn source(&self) -> &Arc<Source> {
        &self.source
    }

    /// Returns whether `other` is the same range of the same file.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.source, &other.source) && self.span() == other.span()
    }

    /// Returns whether the range starts in the header of a section.
    pub(crate) fn is_in_header(&self) -> bool {
        let before = self.source.text.get(..self.span().start).unwrap_or_default();
        let line = before.rfind('\n').map_or(0, |at| at + 1);
        self.source.text.get(line..).is_some_and(|line| line.trim_start().starts_with('['))
    }

    /// Returns the range of bytes.
    pub(crate) fn span(&self) -> Range<usize> {
        self.start as usize..self.end as usize
    }

    /// Returns the name of the file, relative to the directory of config.toml.
    pub fn file(&self) -> &str {
        self.source.name()
    }

    /// Returns the line on which the range starts, counted from 1.
    pub fn line(&self) -> usize {
        self.source.line(self.span().start)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.source.overlay() {
            None => write!(f, "{}:{}", Escaped(self.file()), self.line()),
            Some(path) => {
                let path = path.to_string_lossy();
                write!(f, "{}:{} (instead of {})", Escaped(&path), self.line(), Escaped(self.file()))
            }
        }
    }
}

/// A value with its place in a file.
#[derive(Clone, Debug)]
pub(crate) struct Spanned<T> {
    /// The value.
    pub(crate) value: T,
    /// The place of the value.
    pub(crate) place: Place,
}

impl<T> Spanned<T> {
    /// Creates a value with its place.
    pub(crate) fn new(value: T, place: Place) -> Self {
        Self { value, place }
    }

    /// Converts the value and keeps the place.
    pub(crate) fn map<U>(self, f: impl FnOnce(T) -> U) -> Spanned<U> {
        Spanned { value: f(self.value), place: self.place }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_count_from_one() {
        let source = Source::new("a.toml", "é = 1\nb = 2\n");
        assert_eq!([0, 3, 7, 10_000].map(|offset| source.line(offset)), [1, 1, 2, 3]);
        assert_eq!(
            [0, 3, 6, 7, 10_000].map(|offset| source.line_range(offset)),
            [0..6, 0..6, 0..6, 7..12, 13..13]
        );
    }
}
