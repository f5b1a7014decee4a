//! Values that their neighbours name: the value of an option, of a header, or of a member `name` beside it.

use crate::diagnostics::secret_names::{looks_secret, words};

/// Returns whether a member of a table names what its value is for.
pub(crate) fn names_a_value(key: &str) -> bool {
    ["name", "key", "header", "field", "param", "parameter", "variable", "env", "id"]
        .iter()
        .any(|known| key.eq_ignore_ascii_case(known))
}

/// Returns whether a member of a table has the value that another one names.
pub(crate) fn is_named_value(key: &str) -> bool {
    ["value", "values", "val", "content", "contents", "default", "text", "data"]
        .iter()
        .any(|known| key.eq_ignore_ascii_case(known))
}

/// Returns which items of a list are secrets because of the item before them: the value of an option of a command, and
/// that of a header in a list of names and values. The list itself is at the key `list`.
pub(crate) fn named_items(list: &str, items: &[Option<&str>]) -> Vec<bool> {
    let about_names = words(list).iter().any(|word| NAMES.contains(&word.as_str()));
    let is_listed = items.len().is_multiple_of(2) && !about_names;
    (0..items.len())
        .map(|at| {
            let Some(name) = at.checked_sub(1).and_then(|before| *items.get(before)?) else { return false };
            // Two names of secrets in a row are a list of names.
            let is_name =
                items[at].is_some_and(|item| looks_secret(item) && !item.contains(char::is_numeric));
            names_next(name, false) || is_listed && at % 2 == 1 && !is_name && names_next(name, true)
        })
        .collect()
}

/// Words in the keys of lists that have names only.
const NAMES: [&str; 18] = [
    "redact", "mask", "remove", "strip", "drop", "allow", "deny", "expose", "forward", "names", "fields",
    "keys", "patterns", "required", "vars", "exclude", "include", "scopes",
];

/// Returns whether the item of a list after `name` is a secret: the value of an option, or the second one of a pair.
pub(crate) fn names_next(name: &str, is_pair: bool) -> bool {
    (is_pair || name.starts_with('-')) && !name.contains('=') && looks_secret(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_and_pairs_name_the_next_item() {
        assert!(
            names_next("--password", false) && names_next("password", true) && !names_next("password", false)
        );
    }

    #[test]
    fn values_of_names_in_lists() {
        let named = |list: &str, items: &[&str]| {
            let items: Vec<Option<&str>> = items.iter().map(|item| Some(*item)).collect();
            named_items(list, &items).iter().filter(|named| **named).count()
        };
        for (list, items) in [
            ("args", vec!["--pw", "x"]),
            ("args", vec!["run", "--pass", "x"]),
            ("headers", vec!["X-Api-Key", "x"]),
            ("headers", vec!["Accept", "y", "Authorization", "x"]),
            ("h", vec!["pass", "hunter"]),
        ] {
            assert_eq!(named(list, &items), 1, "{items:?}");
        }
        for (list, items) in [
            ("redact_headers", vec!["authorization", "accept"]),
            ("headers", vec!["authorization", "cookie"]),
            ("remove", vec!["password", "name"]),
            ("headers", vec!["accept", "x"]),
            ("headers", vec!["authorization"]),
        ] {
            assert_eq!(named(list, &items), 0, "{items:?}");
        }
    }
}
