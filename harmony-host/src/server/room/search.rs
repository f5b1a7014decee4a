//! A search for what can give way, whose result serves several that need a place.

use std::time::Duration;

/// The least time between two searches, in milliseconds: each looks at every connection.
const INTERVAL_MILLIS: u64 = 50;

/// The result of the last search.
#[derive(Debug)]
pub(super) struct Search<T> {
    at: Option<u64>,
    /// In ascending order of the time by which the client was behind.
    found: Vec<(Duration, T)>,
}

impl<T> Search<T> {
    /// Returns the next result, the furthest behind first. Searches again when the last results were given, but not sooner
    /// than 50 ms after the last search. `now` is in milliseconds.
    pub(super) fn next(&mut self, now: u64, search: impl FnOnce() -> Vec<(Duration, T)>) -> Option<T> {
        let is_recent = self.at.is_some_and(|at| now < at + INTERVAL_MILLIS);
        if !is_recent {
            self.at = Some(now);
            self.found = search();
            self.found.sort_unstable_by_key(|(behind, _)| *behind);
        }
        self.found.pop().map(|(_, next)| next)
    }
}

impl<T> Default for Search<T> {
    fn default() -> Self {
        Self { at: None, found: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_search_serves_several() {
        let mut search = Search::default();
        let found = || vec![(Duration::from_secs(3), 'a'), (Duration::from_secs(9), 'b')];
        assert_eq!(search.next(0, found), Some('b'));
        assert_eq!(search.next(10, || unreachable!()), Some('a'));
        assert_eq!(search.next(20, || unreachable!()), None::<char>);
        assert_eq!(search.next(50, found), Some('b'));
        // Results that are old are not given.
        assert_eq!(search.next(100, || vec![(Duration::ZERO, 'c')]), Some('c'));
        assert_eq!(search.next(149, || unreachable!()), None);
    }
}
