//! Environment variables in documents: `$NAME` and `${NAME}` in strings, and in the place of a value.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::diagnostics::bare::{Bare, variable};
use crate::diagnostics::problem::{Problem, Problems};
use crate::diagnostics::redaction;
use crate::diagnostics::secret_names::looks_secret;
use crate::diagnostics::source::{Place, Source};

/// A use of a variable in a document.
#[derive(Clone, Debug)]
pub(crate) struct Use {
    /// The name of the variable.
    pub(crate) name: String,
    /// The dotted key whose value uses it.
    pub(crate) key: String,
    /// The place of the variable.
    pub(crate) place: Place,
    /// The bytes of the whole value.
    pub(crate) value: Range<usize>,
    /// Set when the variable has no usable value.
    pub(crate) failed: bool,
}

impl Use {
    /// Returns whether a problem is about the value that uses the variable.
    pub(crate) fn is_at(&self, problem: &Problem) -> bool {
        let place = problem.place.as_ref();
        place.is_some_and(|place| {
            Arc::ptr_eq(place.source(), self.place.source()) && place.span() == self.value
        })
    }

    /// Returns the message of a problem about the value without the value of the variable, if it shows it: also a short
    /// value, which is not redacted everywhere.
    pub(crate) fn hide_in(&self, problem: &Problem) -> Option<String> {
        let value = self.is_at(problem).then(|| of_process(&self.name).ok())??;
        let form = redaction::forms(value.trim()).into_iter().find(|form| problem.message.contains(form))?;
        Some(problem.message.replace(&form, &format!("${}", self.name)))
    }
}

/// The uses of variables by the bytes of their values. A document may have very many, so none of them is searched.
pub(crate) struct UsesByValue<'u>(HashMap<Range<usize>, Vec<&'u Use>>);

impl<'u> UsesByValue<'u> {
    /// Creates the index of the uses in one document.
    pub(crate) fn new(uses: &'u [Use]) -> Self {
        let mut by_value: HashMap<_, Vec<&Use>> = HashMap::new();
        for used in uses {
            by_value.entry(used.value.clone()).or_default().push(used);
        }
        Self(by_value)
    }

    /// Returns the uses in the value that a problem is about.
    pub(crate) fn at(&self, problem: &Problem) -> impl Iterator<Item = &'u Use> {
        let uses = problem.place.as_ref().and_then(|place| self.0.get(&place.span()));
        uses.into_iter().flatten().copied().filter(|used| used.is_at(problem))
    }
}

/// The most bytes that the variables of one document may become together.
const MAX_EXPANDED: usize = 16 * 1024 * 1024;

/// Looks up a variable.
///
/// # Errors
/// The reason for which there is no value.
pub(crate) type Lookup<'a> = &'a dyn Fn(&str) -> Result<String, &'static str>;

/// Looks up a variable of this process. A blank one counts as unset, which is how people unset one.
///
/// # Errors
/// The reason for which there is no value.
pub(crate) fn of_process(name: &str) -> Result<String, &'static str> {
    match std::env::var(name) {
        Ok(value) if value.trim().is_empty() => Err("is set to nothing"),
        Ok(value) => Ok(value),
        Err(std::env::VarError::NotPresent) => Err("is not set"),
        Err(std::env::VarError::NotUnicode(_)) => Err("is not UTF-8"),
    }
}

/// Parses a document, ignoring syntax errors, and puts the values of variables into it.
pub(crate) fn document(source: &Source) -> Spanned<DeTable<'_>> {
    let (mut document, _) = DeTable::parse_recoverable(source.toml());
    Substitution::new(source, &of_process).table(document.get_mut(), "");
    document
}

/// Puts the values of variables into the values of a parsed document, never into its text: a value cannot end a string,
/// nor add a key. Adds an error for every variable without a usable value. Returns all uses of variables.
pub(crate) fn substitute<'d>(
    document: &mut DeTable<'d>,
    source: &'d Arc<Source>,
    lookup: Lookup<'_>,
    problems: &mut Problems,
) -> Vec<Use> {
    let mut substitution = Substitution::new(source, lookup);
    substitution.table(document, "");
    let found = substitution.found;
    let values: HashSet<&Range<usize>> = found.iter().map(|found| &found.value).collect();
    for bare in source.bare() {
        if !values.contains(&bare.span) {
            let place = Place::new(source, bare.span.clone());
            let message = format!("the variable {} does not stand where a value may stand", bare.name);
            problems.error(Some(&place), source.name(), message);
        }
    }
    let mut uses = Vec::new();
    let mut written = Written::default();
    for Found { name, key, value, failure } in found {
        let place = Place::new(source, written.place_in(source.text(), &value, &name));
        let failed = failure.is_some();
        if let Some(failure) = failure {
            problems.error(Some(&place), &key, failure).help(HELP);
        }
        uses.push(Use { name, key, place, value, failed });
    }
    uses
}

/// The remedy for a variable without a value.
const HELP: &str =
    "set the variable for the gateway's process and start it again; write `$$` for a dollar sign";

/// The places of the variables in the text of one value.
#[derive(Default)]
struct Written<'t> {
    value: Range<usize>,
    places: HashMap<&'t str, Range<usize>>,
}

impl<'t> Written<'t> {
    /// Returns the span of the variable within its value, so that its line is right in a string of several lines. Reads
    /// a value once for all its variables.
    fn place_in(&mut self, text: &'t str, value: &Range<usize>, name: &str) -> Range<usize> {
        if self.value != *value {
            self.value = value.clone();
            self.places.clear();
            let written = text.get(value.clone()).unwrap_or_default();
            for (at, _) in written.match_indices('$') {
                if let Some((name, length)) = written.get(at..).and_then(variable) {
                    let start = value.start + at;
                    self.places.entry(name).or_insert(start..start + length);
                }
            }
        }
        self.places.get(name).unwrap_or(value).clone()
    }
}

struct Found {
    name: String,
    key: String,
    value: Range<usize>,
    failure: Option<String>,
}

struct Substitution<'d, 'l> {
    bare: &'d [Bare],
    lookup: Lookup<'l>,
    found: Vec<Found>,
    /// The bytes that variables in strings became so far.
    expanded: usize,
}

impl<'d, 'l> Substitution<'d, 'l> {
    fn new(source: &'d Source, lookup: Lookup<'l>) -> Self {
        Self { bare: source.bare(), lookup, found: Vec::new(), expanded: 0 }
    }

    /// Returns the variable that stands for the value with these bytes.
    fn bare_at(&self, span: &Range<usize>) -> Option<&'d Bare> {
        let at = self.bare.binary_search_by_key(&span.start, |bare| bare.span.start).ok()?;
        self.bare.get(at).filter(|bare| bare.span == *span)
    }

    fn table(&mut self, table: &mut DeTable<'d>, path: &str) {
        for (name, value) in table.iter_mut() {
            let name: &str = name.get_ref();
            let key = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
            self.value(value, &key);
        }
    }

    fn value(&mut self, value: &mut Spanned<DeValue<'d>>, key: &str) {
        let span = value.span();
        match value.get_mut() {
            DeValue::Table(table) => self.table(table, key),
            DeValue::Array(items) => {
                for item in items.iter_mut() {
                    self.value(item, key);
                }
            }
            DeValue::String(text) => match self.bare_at(&span) {
                Some(bare) => {
                    let name = bare.name.clone();
                    let scalar = (self.lookup)(&name)
                        .map_err(|reason| format!("{} {reason}", in_words(&name, key, true)))
                        .map(|text| bare.value.get_or_init(|| text.trim().to_owned()))
                        .and_then(|text| scalar(text).ok_or_else(|| no_scalar(&name)));
                    let failure = scalar.map(|scalar| *value.get_mut() = scalar).err();
                    self.found.push(Found { name, key: key.to_owned(), value: span, failure });
                }
                None => {
                    if let Some(expanded) = self.text(text, key, &span) {
                        *text = Cow::Owned(expanded);
                    }
                }
            },
            _ => {}
        }
    }

    /// Expands the variables of a string. `None` leaves it as it is.
    fn text(&mut self, text: &str, key: &str, span: &Range<usize>) -> Option<String> {
        if !text.contains('$') {
            return None;
        }
        let (mut expanded, mut rest, mut failed) = (String::new(), text, false);
        // Each variable is one use of this value, however often the value has it.
        let mut values: HashMap<&str, Result<String, &'static str>> = HashMap::new();
        let (mut malformed, lookup) = (false, self.lookup);
        while let Some(at) = rest.find('$') {
            expanded.push_str(&rest[..at]);
            rest = &rest[at..];
            if let Some(after) = rest.strip_prefix("$$") {
                expanded.push('$');
                rest = after;
                continue;
            }
            if let Some((name, length)) = variable(rest) {
                let is_new = !values.contains_key(name);
                let value = values.entry(name).or_insert_with(|| value_of(lookup, name));
                if let Ok(value) = &value {
                    self.expanded += value.len();
                    expanded.push_str(value);
                }
                let words = || in_words(name, key, length == text.len());
                let mut failure = value.as_ref().err().map(|reason| format!("{} {reason}", words()));
                if self.expanded > MAX_EXPANDED && !failed {
                    failure = Some(format!("the variables of this file have more than {MAX_EXPANDED} bytes"));
                }
                if is_new || failure.is_some() && !failed {
                    failed |= failure.is_some();
                    let (name, key) = (name.to_owned(), key.to_owned());
                    self.found.push(Found { name, key, value: span.clone(), failure });
                }
                if self.expanded > MAX_EXPANDED {
                    return None;
                }
                rest = &rest[length..];
                continue;
            }
            if rest.starts_with("${") && !malformed {
                let failure = "expected `${NAME}`, with a name of letters, digits and `_`".to_owned();
                let (name, key) = (String::new(), key.to_owned());
                self.found.push(Found { name, key, value: span.clone(), failure: Some(failure) });
                (failed, malformed) = (true, true);
            }
            // A dollar sign before anything else, as at the end of a regular expression, is itself.
            expanded.push('$');
            rest = &rest[1..];
        }
        expanded.push_str(rest);
        (!failed).then_some(expanded)
    }
}

/// Returns a variable in words, of which the value of `key` is the whole, or a part. In a secret a dollar sign may be one of its
/// own, and what looks like a name behind it a part of the secret.
fn in_words(name: &str, key: &str, is_whole: bool) -> String {
    let is_name = is_whole && !name.bytes().any(|byte| byte.is_ascii_lowercase());
    let last = key.rsplit('.').next().unwrap_or(key);
    if is_name || !looks_secret(last) {
        format!("the variable {name}")
    } else {
        "a variable in it".to_owned()
    }
}

/// Looks up a variable for use in a string, where the text may show it.
fn value_of(lookup: Lookup<'_>, name: &str) -> Result<String, &'static str> {
    lookup(name).inspect(|value| redaction::remember(name, value))
}

fn no_scalar(name: &str) -> String {
    format!("the variable {name} is no number and neither true nor false; text needs quotes: \"${name}\"")
}

/// Parses the value of a variable outside of a string: a number or a boolean, and nothing else.
fn scalar(text: &str) -> Option<DeValue<'_>> {
    if !text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.' | b'_')) {
        return None;
    }
    let value = DeValue::parse(text).ok()?.into_inner();
    (value.is_integer() || value.is_float() || value.is_bool()).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lookup(name: &str) -> Result<String, &'static str> {
        match name {
            "SECRET" => Ok("a\"\nb = 1\n[evil]\n\\$PORT".to_owned()),
            "PORT" => Ok(" 8080 ".to_owned()),
            "ON" => Ok("true".to_owned()),
            "HEX" => Ok("0x10".to_owned()),
            "LIST" => Ok("[1]".to_owned()),
            "TEXT" => Ok("\"quoted\"".to_owned()),
            "COMMENT" => Ok("1 # one".to_owned()),
            _ => Err("is not set"),
        }
    }

    fn read(text: &str) -> (toml::Table, Vec<String>, Vec<Use>) {
        let source = Source::new("a.toml", text);
        let (mut document, syntax) = DeTable::parse_recoverable(source.toml());
        assert!(syntax.is_empty(), "{text}: {syntax:?}");
        let mut problems = Problems::default();
        let uses = substitute(document.get_mut(), &source, &lookup, &mut problems);
        let span = document.span();
        let value = Spanned::new(span, DeValue::Table(document.into_inner()));
        let table = serde::Deserialize::deserialize(toml::de::ValueDeserializer::from(value)).unwrap();
        (table, problems.errors().map(ToString::to_string).collect(), uses)
    }

    /// A value inside a string is text, whatever is in it: it ends no string and adds no key.
    /// A password may have a dollar sign.
    #[test]
    fn a_part_of_a_secret_is_no_name_of_a_variable() {
        for (key, name, is_whole, expected) in [
            ("mesh.x.jwt_secret", "JWT_SECRET", true, "the variable JWT_SECRET"),
            ("mesh.x.jwt_secret", "JWT_SECRET", false, "a variable in it"),
            ("mesh.x.jwt_secret", "horse", true, "a variable in it"),
            ("backends.x.url", "host", false, "the variable host"),
        ] {
            assert_eq!(in_words(name, key, is_whole), expected, "{key} {name}");
        }
    }

    #[test]
    fn values_break_out_of_nothing() {
        for quotes in ["\"", "'", "\"\"\"", "'''"] {
            let (table, problems, _) = read(&format!("k = {quotes}x-$SECRET-${{PORT}}{quotes}\n"));
            assert_eq!(problems, [""; 0]);
            assert_eq!(table.len(), 1);
            let expected = format!("x-{}- 8080 ", lookup("SECRET").unwrap());
            assert_eq!(table["k"].as_str(), Some(expected.as_str()), "the value is not expanded again");
        }
    }

    #[test]
    fn bare_variables_become_scalars() {
        let (table, problems, _) = read("a = $PORT\nb = [$ON, ${HEX}] # $NONE\nc = { d = $PORT }\n");
        assert_eq!(problems, [""; 0]);
        let expected: toml::Table = toml::from_str("a = 8080\nb = [true, 16]\nc.d = 8080\n").unwrap();
        assert_eq!(table, expected);
        for name in ["SECRET", "LIST", "TEXT", "COMMENT"] {
            let (_, problems, _) = read(&format!("a = ${name}\n"));
            assert_eq!(problems.len(), 1, "{name}: {problems:?}");
            assert!(problems[0].contains("is no number and neither true nor false"), "{problems:?}");
        }
    }

    #[test]
    fn dollar_signs_stay_text() {
        let (table, problems, uses) = read("a = \"$$PORT $$$$ ^x$ $.y $5\"\nb = 'a$'\n# $NONE\n");
        assert_eq!((problems.len(), uses.len()), (0, 0));
        assert_eq!(table["a"].as_str(), Some("$PORT $$ ^x$ $.y $5"));
    }

    /// The work for a document of the largest size grows with its size, whatever it repeats: this test would take hours.
    #[test]
    fn many_variables_take_linear_time() {
        let count = 200_000;
        let numbered: String = (0..count / 2).map(|n| format!("$N{n}")).collect();
        for (value, uses) in [
            (format!("\"{}\"", "${A}".repeat(count)), 1),
            (format!("\"{}\"", "${".repeat(count)), 1),
            (format!("\"{}\"", "\\u0024A".repeat(count / 2)), 1),
            (format!("\"{numbered}\""), count / 2),
            (format!("[{}]", "$A,".repeat(count)), count),
            (format!("[{}]", "\"$A\",".repeat(count)), count),
        ] {
            let source = Source::new("a.toml", format!("x = {value}\n"));
            let fragment = crate::config::Fragment::part(&source);
            assert_eq!(fragment.variables.len(), uses);
            let mut problems = fragment.problems;
            problems.dedup();
            assert!(problems.errors().all(|problem| problem.to_string().starts_with("a.toml:1: x: ")));
        }
    }

    /// A short document cannot become a large one.
    #[test]
    fn variables_have_a_limit_together() {
        let long = |_: &str| Ok("x".repeat(100_000));
        let source = Source::new("a.toml", format!("a = \"{}\"\nb = \"$A\"\n", "$A".repeat(1000)));
        let (mut document, _) = DeTable::parse_recoverable(source.toml());
        let mut problems = Problems::default();
        let uses = substitute(document.get_mut(), &source, &long, &mut problems);
        assert!(uses.iter().any(|used| used.failed));
        let shown: Vec<String> = problems.errors().map(ToString::to_string).collect();
        assert!(shown[0].contains("more than 16777216 bytes"), "{shown:?}");
    }

    /// Every missing variable is an error with the line of the variable, also within a string of several lines.
    #[test]
    fn missing_variables_are_listed_with_places() {
        let text =
            "a = \"$ONE\"\n[t]\nb = $TWO\nc = \"\"\"\nx\n${THREE}\"\"\"\nd = [\"$PORT$FOUR\"]\ne = \"${x\"\n";
        let (_, problems, uses) = read(text);
        assert_eq!(problems.len(), 5, "{problems:#?}");
        for start in [
            "a.toml:1: a: the variable ONE is not set",
            "a.toml:3: t.b: the variable TWO",
            "a.toml:6: t.c: the variable THREE",
            "a.toml:7: t.d: the variable FOUR",
            "a.toml:8: t.e: expected",
        ] {
            assert!(problems.iter().any(|problem| problem.starts_with(start)), "{start}: {problems:#?}");
        }
        assert!(uses.iter().any(|used| used.name == "PORT" && !used.failed && used.key == "t.d"));
    }
}
