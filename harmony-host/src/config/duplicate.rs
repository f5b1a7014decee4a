//! Keys and sections that a file has twice, which TOML forbids.

use std::ops::Range;

/// The message of the parser about a key or section that is in a file already.
const MESSAGE: &str = "duplicate key";

/// The explanation of a duplicate.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Duplicate {
    /// A message with the line of the first one.
    Explained(String),
    /// A key of a section that is itself a duplicate: one mistake, one error.
    OfDuplicate,
}

/// Returns the explanation of an error of the parser; `None` for another mistake.
pub(crate) fn explain(message: &str, text: &str, span: Range<usize>) -> Option<Duplicate> {
    if message != MESSAGE {
        return None;
    }
    let name = text.get(span.clone())?;
    let before: Vec<&str> = text.get(..span.start)?.split('\n').collect();
    // The last item is the start of the line itself.
    let line = text[span.start - before.last()?.len()..].lines().next()?;
    let earlier = &before[..before.len() - 1];
    let first = if is_header(line) {
        earlier.iter().position(|other| is_header(other) && header(other) == header(line))
    } else {
        let section = earlier.iter().rposition(|line| is_header(line));
        let is_again = |at: usize| {
            earlier[..at].iter().any(|other| is_header(other) && header(other) == header(earlier[at]))
        };
        if section.is_some_and(|at| !earlier[at].trim_start().starts_with("[[") && is_again(at)) {
            return Some(Duplicate::OfDuplicate);
        }
        let start = section.map_or(0, |at| at + 1);
        earlier[start..].iter().position(|other| key(other) == key(line)).map(|at| start + at)
    };
    let shown = name.escape_debug();
    Some(Duplicate::Explained(match first {
        Some(first) => format!("`{shown}` is here a second time: the first one is on line {}", first + 1),
        None => format!("`{shown}` is here a second time"),
    }))
}

fn is_header(line: &str) -> bool {
    line.trim_start().starts_with('[')
}

/// Returns a header without its comment and spaces.
fn header(line: &str) -> String {
    line.split('#').next().unwrap_or(line).chars().filter(|c| !c.is_whitespace()).collect()
}

/// Returns the key of a line; `None` for a line without one.
fn key(line: &str) -> Option<String> {
    let (key, _) = line.split_once('=')?;
    Some(key.chars().filter(|c| !c.is_whitespace() && !matches!(c, '"' | '\'')).collect())
}

#[cfg(test)]
mod tests {
    use crate::config::fragment::Fragment;
    use crate::diagnostics::source::Source;

    /// A repeated section or key is one error, with the line of the first one and a remedy.
    #[test]
    fn duplicates_name_the_first_one() {
        for (text, line, first) in [
            ("[proxy]\nid = \"a\"\n[proxy]\nid = \"b\"\nname = \"c\"\n", 3, "on line 1"),
            ("[proxy]\nid = \"a\"\n\nid = \"b\"\n", 4, "on line 2"),
            (
                "[mesh.m]\ntype = \"http\"\n[mesh.n]\ntype = \"http\"\n[ mesh.m ] # again\ntype = \"http\"\n",
                5,
                "on line 1",
            ),
            ("[mesh.m]\ntype = \"http\"\n[mesh.n]\ntype = \"http\"\n\"type\" = \"http\"\n", 5, "on line 4"),
            ("a = 1\na = 2\n", 2, "on line 1"),
        ] {
            let fragment = Fragment::part(&Source::new("a.toml", text));
            let errors: Vec<String> = fragment.problems.errors().map(ToString::to_string).collect();
            let errors: Vec<_> = errors.iter().filter(|error| error.contains("a second time")).collect();
            assert_eq!(errors.len(), 1, "{text}{errors:?}");
            assert!(errors[0].starts_with(&format!("a.toml:{line}: ")), "{text}{errors:?}");
            assert!(errors[0].contains(first) && errors[0].contains("merge"), "{text}{errors:?}");
            let other = fragment.problems.errors().any(|problem| problem.message.contains("duplicate"));
            assert!(!other, "{text}");
        }
    }
}
