//! The directives of the log filter: `LEVEL` for all targets without one, `TARGET=LEVEL` for a target.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;

use crate::config::keys::nearest;

/// The maximum number of directives.
const MAX: usize = 64;

/// The maximum length of a directive in bytes.
const MAX_BYTES: usize = 256;

/// The names of the levels.
const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// The directives of a filter, in order, one for each target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Directives(Vec<Directive>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Directive {
    /// The part before the level; empty for all targets.
    target: String,
    text: String,
}

impl Directives {
    /// Returns the directives of the filter of the start. It may have more than the API sets, such as spans and fields; these
    /// stay as they are.
    pub(super) fn of_start(filter: &str) -> Self {
        let mut depth = 0_i32;
        let parts = filter.split(|c| {
            depth += i32::from(matches!(c, '[' | '{')) - i32::from(matches!(c, ']' | '}'));
            c == ',' && depth <= 0
        });
        let parts = parts.map(str::trim).filter(|part| !part.is_empty());
        let mut directives = Self(Vec::new());
        parts.for_each(|part| directives.replace(part));
        directives
    }

    /// Sets one directive.
    ///
    /// # Errors
    /// The reason for which it is not valid, with what is expected.
    pub(super) fn set(&mut self, directive: &str) -> Result<(), String> {
        let directive = directive.trim();
        check(directive)?;
        let (target, level) = directive.rsplit_once('=').unwrap_or(("", directive));
        let level = level.to_ascii_lowercase();
        self.replace(&if target.is_empty() { level } else { format!("{target}={level}") });
        match self.0.len() > MAX {
            true => Err(format!("expected at most {MAX} targets with a level of their own")),
            false => Ok(()),
        }
    }

    fn replace(&mut self, text: &str) {
        let target = match text.rsplit_once('=') {
            Some((target, _)) => target,
            None if is_level(text) => "",
            // A target or a span without a level.
            None => text,
        };
        let directive = Directive { target: target.to_owned(), text: text.to_owned() };
        match self.0.iter_mut().find(|known| known.target == directive.target) {
            Some(known) => *known = directive,
            None => self.0.push(directive),
        }
    }

    /// Returns whether a directive is set.
    pub(super) fn has(&self, text: &str) -> bool {
        self.0.iter().any(|directive| directive.text == text)
    }

    /// Returns the directives as texts.
    pub(super) fn texts(&self) -> Vec<String> {
        self.0.iter().map(|directive| directive.text.clone()).collect()
    }

    /// Returns the filter.
    ///
    /// # Errors
    /// A directive is not valid.
    pub(super) fn filter(&self) -> Result<EnvFilter, ParseError> {
        EnvFilter::try_new(self.texts().join(","))
    }
}

fn is_level(text: &str) -> bool {
    LEVELS.iter().any(|level| level.eq_ignore_ascii_case(text))
}

/// Checks a directive that is set at run time.
fn check(directive: &str) -> Result<(), String> {
    if directive.len() > MAX_BYTES {
        return Err(format!("a log level has {} bytes; expected at most {MAX_BYTES}", directive.len()));
    }
    let (target, level) = match directive.rsplit_once('=') {
        Some((target, level)) => (Some(target), level),
        None => (None, directive),
    };
    if !is_level(level) {
        let levels = LEVELS.join(", ");
        let known = LEVELS.into_iter();
        let meant = nearest(&level.to_ascii_lowercase(), known)
            .map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
        let is_target = target.is_none() && level.contains("::");
        let what = match is_target {
            true => format!("`{directive}` has no level; expected {directive}=LEVEL with one of {levels}"),
            false => format!("`{level}` is not a level; expected one of {levels}{meant}"),
        };
        return Err(what);
    }
    let Some(target) = target else { return Ok(()) };
    let is_part =
        |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    match target.split("::").all(is_part) {
        true => Ok(()),
        false => {
            let meant = target.replace('-', "_");
            let meant = match meant != target && meant.split("::").all(is_part) {
                true => format!("; did you mean `{meant}`?"),
                false => String::new(),
            };
            Err(format!("`{target}` is not a target; expected a path such as harmony_host::sync{meant}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(directive: &str) -> String {
        Directives::of_start("info").set(directive).unwrap_err()
    }

    #[test]
    fn one_directive_for_each_target() {
        let mut directives = Directives::of_start("warn, harmony_host[a{b=1}]=debug,h2=off");
        for directive in ["INFO", "harmony_host::sync=Debug", "harmony_host::sync=trace", "h2=error"] {
            directives.set(directive).unwrap();
        }
        let expected = ["info", "harmony_host[a{b=1}]=debug", "h2=error", "harmony_host::sync=trace"];
        assert_eq!(directives.texts(), expected);
        assert!(directives.filter().is_ok());
        let fields = Directives::of_start("a[b{c,d=1}]=debug,warn");
        assert_eq!(fields.texts(), ["a[b{c,d=1}]=debug", "warn"]);
    }

    #[test]
    fn errors_say_what_is_expected() {
        assert!(error("dbug").contains("did you mean `debug`"), "{}", error("dbug"));
        assert!(error("harmony_host=loud").contains("expected one of off, error"));
        assert!(error("harmony-host=debug").contains("did you mean `harmony_host`"));
        assert!(error("harmony_host::sync").contains("has no level"));
        for directive in ["", "=", "=debug", "a::=debug", "a=b=debug", "a,b=debug", "[x]=debug", "a b=info"] {
            assert!(error(directive).contains("expected"), "{directive}");
        }
        assert!(error(&format!("{}=debug", "a".repeat(300))).contains("at most 256"));
    }

    #[test]
    fn number_of_directives_is_limited() {
        let mut directives = Directives::of_start("info");
        let results: Vec<_> = (0..70).map(|n| directives.set(&format!("target_{n}=debug"))).collect();
        assert!(results[..60].iter().all(Result::is_ok) && results[69].is_err());
    }
}
