//! Problems in the log: counted, and at most a few of each kind. A mistake that every file has must not fill the log.

use std::fmt;

use crate::diagnostics::problem::Problem;

/// The number of problems of one kind that are logged one by one.
pub(crate) const SHOWN: usize = 10;

/// Logs the errors of a rejected configuration, at most [`SHOWN`] of them.
pub(crate) fn log_errors(errors: &[&Problem]) {
    for error in errors.iter().take(SHOWN) {
        tracing::error!("{error}");
    }
    if let Some(more) = more(errors.len()) {
        tracing::error!("{more}");
    }
}

/// Logs the warnings of a configuration, at most [`SHOWN`] of them.
pub(crate) fn log_warnings(warnings: &[impl fmt::Display]) {
    for warning in warnings.iter().take(SHOWN) {
        tracing::warn!("{warning}");
    }
    if let Some(more) = more(warnings.len()) {
        tracing::warn!("{more}");
    }
}

/// Returns the line for the problems that are not shown.
pub(crate) fn more(count: usize) -> Option<String> {
    let hidden = count.checked_sub(SHOWN).filter(|hidden| *hidden > 0)?;
    Some(format!("and {hidden} more; `harmony-host check` lists all problems of the files"))
}

/// Returns a number with its noun, in the plural unless it is 1: `1 mesh`, `2 meshes`.
pub(crate) fn counted(n: usize, noun: &str) -> String {
    match (n, noun.ends_with('h')) {
        (1, _) => format!("1 {noun}"),
        (_, true) => format!("{n} {noun}es"),
        (_, false) => format!("{n} {noun}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_agree_with_their_nouns() {
        assert_eq!([0, 1, 2].map(|n| counted(n, "problem")), ["0 problems", "1 problem", "2 problems"]);
        assert_eq!(counted(2, "mesh"), "2 meshes");
        assert_eq!(more(SHOWN), None);
        assert!(more(1_000).is_some_and(|more| more.starts_with("and 990 more;")));
    }
}
