use std::cell::RefCell;
use std::sync::Arc;

use provider_api::Secret;
use toml::de::{DeTable, DeValue};

use crate::config::name::is_name;
use crate::diagnostics::problem::Problems;
use crate::diagnostics::source::{Place, Source, Spanned};

/// A table of a configuration file, read key by key. What is wrong is added to the problems, and reading
/// goes on, so that one look at a file finds everything.
///
/// Keys nobody asks for are Harmony's own and are kept; only a key that looks like a slip of a known one
/// is warned about.
pub(crate) struct Section<'a> {
    source: &'a Arc<Source>,
    path: String,
    place: Place,
    table: &'a DeTable<'a>,
    known: RefCell<Vec<&'static str>>,
}

impl<'a> Section<'a> {
    pub(crate) fn root(source: &'a Arc<Source>, table: &'a DeTable<'a>) -> Self {
        Self {
            source,
            path: String::new(),
            place: Place::new(source, 0..0),
            table,
            known: RefCell::default(),
        }
    }

    /// The dotted name of `key` in here.
    pub(crate) fn key(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// Where the table starts.
    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    /// Whether `key` is written.
    pub(crate) fn has(&self, key: &'static str) -> bool {
        self.value(key).is_some()
    }

    fn value(&self, key: &'static str) -> Option<(&'a DeValue<'a>, Place)> {
        self.known.borrow_mut().push(key);
        let value = self.table.get(key)?;
        Some((value.get_ref(), Place::new(self.source, value.span())))
    }

    fn typed<T>(
        &self,
        key: &'static str,
        expected: &str,
        problems: &mut Problems,
        read: impl FnOnce(&'a DeValue<'a>) -> Option<T>,
    ) -> Option<Spanned<T>> {
        let (value, place) = self.value(key)?;
        match read(value) {
            Some(read) => Some(Spanned::new(read, place)),
            None => {
                let message = format!("expected {expected}, found {}", describe(value));
                problems.error(Some(&place), self.key(key), message);
                None
            }
        }
    }

    pub(crate) fn text(&self, key: &'static str, problems: &mut Problems) -> Option<Spanned<String>> {
        self.typed(key, "a string", problems, |v| v.as_str().map(str::to_owned))
    }

    pub(crate) fn required_text(
        &self,
        key: &'static str,
        problems: &mut Problems,
    ) -> Option<Spanned<String>> {
        if !self.has(key) {
            problems.error(Some(&self.place), self.path.clone(), format!("the key `{key}` is missing"));
        }
        let text = self.text(key, problems)?;
        if text.value.trim().is_empty() {
            problems.error(Some(&text.place), self.key(key), "expected a text, found an empty one");
            return None;
        }
        Some(text)
    }

    pub(crate) fn secret(&self, key: &'static str, problems: &mut Problems) -> Option<Spanned<Secret>> {
        self.text(key, problems).map(|text| text.map(Secret::new))
    }

    /// One of a fixed set of words.
    pub(crate) fn word<T: Copy>(
        &self,
        key: &'static str,
        words: &[(&str, T)],
        problems: &mut Problems,
    ) -> Option<Spanned<T>> {
        let text = self.text(key, problems)?;
        match words.iter().find(|(word, _)| *word == text.value) {
            Some((_, meaning)) => Some(Spanned::new(*meaning, text.place)),
            None => {
                let known = words.iter().map(|(w, _)| format!("\"{w}\"")).collect::<Vec<_>>().join(" or ");
                let message = format!("expected {known}, found \"{}\"", text.value.escape_debug());
                problems.error(Some(&text.place), self.key(key), message);
                None
            }
        }
    }

    pub(crate) fn flag(&self, key: &'static str, problems: &mut Problems) -> Option<Spanned<bool>> {
        self.typed(key, "true or false", problems, DeValue::as_bool)
    }

    pub(crate) fn integer(
        &self,
        key: &'static str,
        range: std::ops::RangeInclusive<u64>,
        problems: &mut Problems,
    ) -> Option<Spanned<u64>> {
        let integer = self.typed(key, "a whole number", problems, |v| {
            let integer = v.as_integer()?;
            i128::from_str_radix(&integer.as_str().replace('_', ""), integer.radix()).ok()
        })?;
        match u64::try_from(integer.value).ok().filter(|n| range.contains(n)) {
            Some(n) => Some(Spanned::new(n, integer.place)),
            None => {
                let message =
                    format!("expected {} to {}, found {}", range.start(), range.end(), integer.value);
                problems.error(Some(&integer.place), self.key(key), message);
                None
            }
        }
    }

    /// A list of texts; an absent key is an empty list.
    pub(crate) fn texts(&self, key: &'static str, problems: &mut Problems) -> Vec<Spanned<String>> {
        let Some(items) = self.typed(key, "a list of strings", problems, DeValue::as_array) else {
            return Vec::new();
        };
        let mut texts = Vec::new();
        for item in items.value.iter() {
            let place = Place::new(self.source, item.span());
            match item.get_ref().as_str() {
                Some(text) => texts.push(Spanned::new(text.to_owned(), place)),
                None => {
                    let message =
                        format!("expected a string in the list, found {}", describe(item.get_ref()));
                    problems.error(Some(&place), self.key(key), message);
                }
            }
        }
        texts
    }

    /// A table below this one.
    pub(crate) fn section(&self, key: &'static str, problems: &mut Problems) -> Option<Section<'a>> {
        let table = self.typed(key, "a table", problems, DeValue::as_table)?;
        Some(self.below(key, table.value, table.place))
    }

    /// Where `key` is written.
    pub(crate) fn place_of(&self, key: &str) -> Option<Place> {
        let (name, _) = self.table.get_key_value(key)?;
        Some(Place::new(self.source, name.span()))
    }

    /// Whether `key` holds a table rather than a plain value.
    pub(crate) fn is_table(&self, key: &'static str) -> bool {
        self.value(key).is_some_and(|(value, _)| value.is_table())
    }

    /// The named tables below `key`, as in `[network.<name>]`.
    pub(crate) fn named(&self, key: &'static str, problems: &mut Problems) -> Vec<(String, Section<'a>)> {
        let Some(parent) = self.section(key, problems) else { return Vec::new() };
        let mut named = Vec::new();
        for (name, value) in parent.table {
            let place = Place::new(self.source, name.span());
            let text: &str = name.get_ref();
            if !is_name(text) {
                problems
                    .error(Some(&place), parent.key(&text.escape_debug().to_string()), "this is no name")
                    .help("names are made of a-z, 0-9, _ and -");
                continue;
            }
            match value.get_ref().as_table() {
                Some(table) => named.push((text.to_owned(), parent.below(text, table, place))),
                None => {
                    let message = format!("expected a table, found {}", describe(value.get_ref()));
                    problems.error(Some(&place), parent.key(text), message);
                }
            }
        }
        named
    }

    /// The tables below a section of Harmony's own: whatever else stands there is none of ours.
    pub(crate) fn foreign(&self, key: &'static str) -> Vec<(&'a str, &'a DeTable<'a>)> {
        let Some((DeValue::Table(parent), _)) = self.value(key) else { return Vec::new() };
        parent
            .iter()
            .filter_map(|(name, value)| Some((name.get_ref().as_ref(), value.get_ref().as_table()?)))
            .collect()
    }

    fn below(&self, key: &str, table: &'a DeTable<'a>, place: Place) -> Section<'a> {
        Section { source: self.source, path: self.key(key), place, table, known: RefCell::default() }
    }

    /// Warns about keys that look like slips of the keys that were asked for.
    pub(crate) fn finish(&self, problems: &mut Problems) {
        let known = self.known.borrow();
        for name in self.table.keys() {
            let text: &str = name.get_ref();
            if known.contains(&text) {
                continue;
            }
            if let Some(meant) = known.iter().find(|k| !self.table.contains_key(**k) && is_slip(text, k)) {
                let place = Place::new(self.source, name.span());
                problems
                    .warn(Some(&place), self.key(text), "this key is not known and has no effect")
                    .help(format!("did you mean `{meant}`?"));
            }
        }
    }
}

/// What a value is, in words, without the value itself: it may be a secret.
fn describe(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a decimal number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// Whether one insertion, deletion, replacement or swap of neighbours, or two for long words, turns one
/// word into the other.
pub(crate) fn is_slip(given: &str, meant: &str) -> bool {
    if given.len() > 64 || meant.len() < 4 {
        return false;
    }
    let limit = if meant.len() >= 8 { 2 } else { 1 };
    let (a, b): (Vec<char>, Vec<char>) = (given.chars().collect(), meant.chars().collect());
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let same = usize::from(a[i - 1] != b[j - 1]);
            row[j] = (rows[i - 1][j] + 1).min(row[j - 1] + 1).min(rows[i - 1][j - 1] + same);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(rows[i - 2][j - 2] + 1);
            }
        }
        rows.push(row);
    }
    rows[a.len()][b.len()] <= limit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_near_misses_only() {
        assert!(is_slip("primary_provder", "primary_provider"));
        assert!(is_slip("pirmary_provider", "primary_provider"));
        assert!(is_slip("moed", "mode"));
        assert!(!is_slip("description", "primary_provider"));
        assert!(!is_slip("id", "ids"));
    }
}
