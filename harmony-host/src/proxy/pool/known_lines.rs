//! The header lines that the responses on a connection repeat.

use http::{HeaderName, HeaderValue};

/// The most lines that are known of a connection, and the longest one: the bytes of its name and value.
const MAX_LINES: usize = 16;
const MAX_BYTES: usize = 128;

/// The number of other lines in its place, one after the other, after which a line is given up.
const MAX_MISSES: u8 = 3;

/// The header lines of earlier responses on a connection, by their place in the head. Most servers repeat them: a line of the
/// same bytes is parsed once. They are copies, which keep no buffer of a response.
#[derive(Debug, Default)]
pub(super) struct KnownLines(Vec<Line>);

/// The last line in one place.
#[derive(Debug, Default)]
struct Line {
    known: Option<Known>,
    misses: u8,
}

/// A line that was parsed.
#[derive(Debug)]
struct Known {
    /// The name, as the server writes it.
    written: Box<[u8]>,
    name: HeaderName,
    value: HeaderValue,
}

impl KnownLines {
    /// Returns line number `at` of a head as it was parsed before, if it is the same.
    pub(super) fn get(&mut self, at: usize, name: &[u8], value: &[u8]) -> Option<(HeaderName, HeaderValue)> {
        let line = self.0.get_mut(at)?;
        let known = line.known.as_ref()?;
        if known.value.as_bytes() != value || *known.written != *name {
            return None;
        }
        line.misses = 0;
        Some((known.name.clone(), known.value.clone()))
    }

    /// Keeps line number `at` of a head, which was parsed into `name` and `value`, unless it is long, or was another one again
    /// and again.
    pub(super) fn put(&mut self, at: usize, written: &[u8], name: &HeaderName, value: &HeaderValue) {
        if at >= MAX_LINES {
            return;
        }
        if at >= self.0.len() {
            self.0.resize_with(at + 1, Line::default);
        }
        let Some(line) = self.0.get_mut(at).filter(|line| line.misses < MAX_MISSES) else { return };
        line.misses += 1;
        let is_kept = line.misses < MAX_MISSES && written.len() + value.len() <= MAX_BYTES;
        let copy = is_kept.then(|| HeaderValue::from_bytes(value.as_bytes()).ok()).flatten();
        line.known = copy.map(|value| Known { written: written.into(), name: name.clone(), value });
    }
}

#[cfg(test)]
mod tests {
    use http::header::{DATE, ETAG};

    use super::*;

    fn value(text: &str) -> HeaderValue {
        HeaderValue::from_str(text).unwrap()
    }

    #[test]
    fn a_line_of_the_same_bytes_is_known() {
        let mut lines = KnownLines::default();
        lines.put(1, b"ETag", &ETAG, &value("\"1\""));
        assert_eq!(lines.get(1, b"ETag", b"\"1\""), Some((ETAG, value("\"1\""))));
        for (at, name, other) in
            [(1, "ETag", "\"2\""), (1, "Etag", "\"1\""), (0, "ETag", "\"1\""), (2, "ETag", "\"1\"")]
        {
            assert_eq!(lines.get(at, name.as_bytes(), other.as_bytes()), None, "{at} {name} {other}");
        }
    }

    /// A line that is another one each time is not copied each time.
    #[test]
    fn a_line_that_changes_is_given_up() {
        let mut lines = KnownLines::default();
        for second in 0..10 {
            // It is the same now and then.
            let date = value(&format!("{}", second / 2));
            if lines.get(0, b"Date", date.as_bytes()).is_none() {
                lines.put(0, b"Date", &DATE, &date);
            }
        }
        assert!(lines.get(0, b"Date", b"4").is_some());
        for other in 10..20 {
            lines.put(0, b"Date", &DATE, &value(&format!("{other}")));
        }
        assert!(lines.get(0, b"Date", b"19").is_none());
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut lines = KnownLines::default();
        lines.put(0, b"ETag", &ETAG, &value(&"x".repeat(MAX_BYTES)));
        assert!(lines.0.iter().all(|line| line.known.is_none()));
        (0..1000).for_each(|at| lines.put(at, b"ETag", &ETAG, &value("1")));
        assert_eq!(lines.0.len(), MAX_LINES);
    }
}
