//! Reading of tables key by key, with problems instead of early returns.

use std::sync::Arc;

use provider_api::Secret;
use toml::de::{DeTable, DeValue};

use crate::config::name::is_name;
use crate::diagnostics::problem::Problems;
use crate::diagnostics::source::{Place, Source, Spanned};

/// A table of a configuration file, read key by key. Mistakes are added to the problems and reading continues, so one
/// pass finds all of them.
///
/// Unknown keys are found by [`keys::check`](crate::config::keys::check), not here.
pub(crate) struct Section<'a> {
    source: &'a Arc<Source>,
    path: String,
    place: Place,
    table: &'a DeTable<'a>,
}

impl<'a> Section<'a> {
    /// Creates the section of a whole file.
    pub(crate) fn root(source: &'a Arc<Source>, table: &'a DeTable<'a>) -> Self {
        Self { source, path: String::new(), place: Place::new(source, 0..0), table }
    }

    /// Returns the dotted name of `key` in this table.
    pub(crate) fn key(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// Returns the dotted name of the table.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// Returns the place of the table.
    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    /// Returns whether `key` is set.
    pub(crate) fn has(&self, key: &'static str) -> bool {
        self.value(key).is_some()
    }

    /// Returns whether `key` is set, and not to `false`.
    pub(crate) fn asks(&self, key: &'static str) -> bool {
        self.value(key).is_some_and(|(value, _)| value.as_bool() != Some(false))
    }

    fn value(&self, key: &'static str) -> Option<(&'a DeValue<'a>, Place)> {
        let value = self.table.get(key)?;
        Some((value.get_ref(), Place::new(self.source, value.span())))
    }

    /// Reads a value of one type; adds an error if `read` does not accept it.
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

    /// Reads a string.
    pub(crate) fn text(&self, key: &'static str, problems: &mut Problems) -> Option<Spanned<String>> {
        self.typed(key, "a string", problems, |v| v.as_str().map(str::to_owned))
    }

    /// Reads a string; adds an error if it is absent or blank.
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
            problems.error(Some(&text.place), self.key(key), "expected a non-empty string");
            return None;
        }
        Some(text)
    }

    /// Reads a secret.
    pub(crate) fn secret(&self, key: &'static str, problems: &mut Problems) -> Option<Spanned<Secret>> {
        self.text(key, problems).map(|text| text.map(Secret::new))
    }

    /// Reads one of a fixed set of words.
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
                let message = expected_word(words.iter().map(|(word, _)| *word), &text.value);
                problems.error(Some(&text.place), self.key(key), message.unwrap_or_default());
                None
            }
        }
    }

    /// Reads a boolean.
    pub(crate) fn flag(&self, key: &'static str, problems: &mut Problems) -> Option<Spanned<bool>> {
        self.typed(key, "true or false", problems, DeValue::as_bool)
    }

    /// Reads an integer in `range`.
    pub(crate) fn integer(
        &self,
        key: &'static str,
        range: std::ops::RangeInclusive<u64>,
        problems: &mut Problems,
    ) -> Option<Spanned<u64>> {
        let integer = self.typed(key, "a whole number", problems, integer)?;
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

    /// Reads a list of strings; an absent key is an empty list.
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
        texts.shrink_to_fit();
        texts
    }

    /// Returns whether `key` is set to a value that is no list of strings, for which [`texts`](Self::texts) adds an error.
    pub(crate) fn is_no_list(&self, key: &'static str) -> bool {
        self.value(key).is_some_and(|(value, _)| {
            value.as_array().is_none_or(|items| items.iter().any(|item| !item.get_ref().is_str()))
        })
    }

    /// Reads the table `key` below this one.
    pub(crate) fn section(&self, key: &'static str, problems: &mut Problems) -> Option<Section<'a>> {
        let table = self.typed(key, "a table", problems, DeValue::as_table)?;
        Some(self.below(key, table.value, table.place))
    }

    /// Returns the names of all keys.
    pub(crate) fn names(&self) -> impl Iterator<Item = &'a str> {
        self.table.iter().map(|(name, _)| name.get_ref().as_ref())
    }

    /// Returns the place of the name `key`.
    pub(crate) fn place_of(&self, key: &str) -> Option<Place> {
        let (name, _) = self.table.get_key_value(key)?;
        Some(Place::new(self.source, name.span()))
    }

    /// Returns whether the value of `key` is a string.
    pub(crate) fn is_text(&self, key: &'static str) -> bool {
        self.value(key).is_some_and(|(value, _)| value.is_str())
    }

    /// Returns the place of the value of `key`.
    pub(crate) fn value_place(&self, key: &str) -> Option<Place> {
        Some(Place::new(self.source, self.table.get(key)?.span()))
    }

    /// Returns whether the value of `key` is a table.
    pub(crate) fn is_table(&self, key: &'static str) -> bool {
        self.value(key).is_some_and(|(value, _)| value.is_table())
    }

    /// Reads the named tables below `key`, as in `[network.<name>]`.
    pub(crate) fn named(&self, key: &'static str, problems: &mut Problems) -> Vec<(String, Section<'a>)> {
        let Some(parent) = self.section(key, problems) else { return Vec::new() };
        let mut named = Vec::new();
        for (name, value) in parent.table {
            let place = Place::new(self.source, name.span());
            let text: &str = name.get_ref();
            if !is_name(text) {
                problems
                    .error(
                        Some(&place),
                        parent.key(&text.escape_debug().to_string()),
                        "this is not a valid name",
                    )
                    .help("a name has 1 to 64 characters of a-z, 0-9, _ and -");
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

    /// Returns the tables below a section that other parts of Harmony define, without checking it.
    pub(crate) fn foreign(&self, key: &'static str) -> Vec<(&'a str, &'a DeTable<'a>)> {
        let Some((DeValue::Table(parent), _)) = self.value(key) else { return Vec::new() };
        parent
            .iter()
            .filter_map(|(name, value)| Some((name.get_ref().as_ref(), value.get_ref().as_table()?)))
            .collect()
    }

    fn below(&self, key: &str, table: &'a DeTable<'a>, place: Place) -> Section<'a> {
        Section { source: self.source, path: self.key(key), place, table }
    }
}

/// Returns the message for a text that is none of the words.
pub(crate) fn expected_word<'w>(words: impl Iterator<Item = &'w str> + Clone, text: &str) -> Option<String> {
    if words.clone().any(|word| word == text) {
        return None;
    }
    let known = words.map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(" or ");
    Some(format!("expected {known}, found \"{}\"", text.escape_debug()))
}

/// Returns the number of an integer.
pub(crate) fn integer(value: &DeValue<'_>) -> Option<i128> {
    let integer = value.as_integer()?;
    i128::from_str_radix(&integer.as_str().replace('_', ""), integer.radix()).ok()
}

/// Returns the type of a value in words, without the value itself: it may be a secret.
pub(crate) fn describe(value: &DeValue<'_>) -> &'static str {
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
