//! The decision which values of a document are secret.

use crate::diagnostics::near_secret::is_near_secret;
use crate::diagnostics::secret_names::{has_secret_part, is_key_of_authentication, looks_secret};

/// The entry of a key in a table of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    /// The value is a secret.
    Secret,
    /// The value is no secret, though its name may look so.
    Public,
    /// The last part of the path is a section, or a name that people chose for one.
    Section,
    /// The table does not have it.
    Unknown,
}

/// Decides which values of a document are secret: by a table of keys, by the patterns of the configuration, and by any
/// name that looks like that of a secret.
#[derive(Clone, Debug)]
pub(crate) struct Sensitive {
    table: fn(&[&str]) -> Known,
    patterns: Vec<String>,
}

impl PartialEq for Sensitive {
    /// Two decisions are the same if they have the same table and patterns.
    fn eq(&self, other: &Self) -> bool {
        std::ptr::fn_addr_eq(self.table, other.table) && self.patterns == other.patterns
    }
}

impl Default for Sensitive {
    /// Decides by names only.
    fn default() -> Self {
        let table = |path: &[&str]| if path.len() == 2 { Known::Section } else { Known::Unknown };
        Self { table, patterns: Vec::new() }
    }
}

impl Sensitive {
    /// Creates the decision for a table of keys and the patterns of a configuration. In a pattern `*` is any text; a
    /// pattern without it is a part of the name.
    pub(crate) fn new(table: fn(&[&str]) -> Known, patterns: &[String]) -> Self {
        Self { table, patterns: patterns.iter().map(|pattern| pattern.to_ascii_lowercase()).collect() }
    }

    /// Returns whether the value at `path` is secret, with everything below it.
    pub(crate) fn is_secret(&self, path: &[&str], is_table: bool) -> bool {
        let Some(key) = path.last() else { return false };
        match (self.table)(path) {
            Known::Secret => true,
            Known::Section if is_table => false,
            Known::Public => self.is_in_patterns(key),
            Known::Section | Known::Unknown => {
                looks_secret(key) || is_key_of_authentication(path) || self.is_in_patterns(key)
            }
        }
    }

    /// Returns whether the value at `path` is probably a secret, though its key is not known: its name is near that of one.
    pub(crate) fn is_near(&self, path: &[&str], is_table: bool) -> bool {
        let is_unknown = match (self.table)(path) {
            Known::Secret | Known::Unknown => true,
            Known::Section => !is_table,
            Known::Public => false,
        };
        is_unknown && path.last().is_some_and(|key| is_near_secret(key))
    }

    /// Returns whether a word of a broken document may be the name of a secret.
    pub(crate) fn is_near_word(&self, word: &str) -> bool {
        is_near_secret(word) || self.is_in_patterns(word)
    }

    /// Returns whether a line of a broken document, or of a comment, may hold a secret.
    pub(crate) fn is_in_line(&self, line: &str) -> bool {
        let word = |c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-'));
        // The words of a comment that assigns nothing are prose.
        let name = line.split_once(['=', ':']).map_or("", |(name, _)| name);
        has_secret_part(line)
            || self.is_in_name(name)
            || line.split(word).any(|word| !word.is_empty() && self.is_in_patterns(word))
    }

    /// Returns whether the key at the end of a text, with or without quotes, looks like that of a secret.
    pub(crate) fn is_in_name(&self, text: &str) -> bool {
        let mut names = text.split(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-')));
        names.rfind(|name| !name.is_empty()).is_some_and(looks_secret)
    }

    fn is_in_patterns(&self, key: &str) -> bool {
        let key = key.to_ascii_lowercase();
        self.patterns.iter().any(|pattern| match pattern.contains('*') {
            true => matches(pattern, &key),
            false => key.contains(pattern.as_str()),
        })
    }
}

/// Returns whether `text` has the form of a pattern, in which `*` is any text.
fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_names() {
        let patterns = ["*_KEY".to_owned(), "pin".to_owned(), "a*b*c".to_owned()];
        let sensitive = Sensitive::new(|_| Known::Unknown, &patterns);
        for name in ["my_key", "PIN", "pin_code", "aXbYc", "abc"] {
            assert!(sensitive.is_secret(&["s", "x", name], false), "{name}");
        }
        for name in ["my_keys", "p_in", "acb", "key"] {
            assert!(!sensitive.is_secret(&["s", "x", name], false), "{name}");
        }
    }

    #[test]
    fn lines_with_secrets_are_found() {
        let sensitive = Sensitive::default();
        for line in ["psk = 1", "# client_key: x", "a.pin", "auth = \"x\""] {
            assert_eq!(sensitive.is_in_line(line), line != "a.pin", "{line}");
        }
        assert!(!sensitive.is_in_line("the auth of this pin"));
    }
}
