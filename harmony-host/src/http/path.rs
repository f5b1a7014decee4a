//! URL paths: the prefixes of a configuration, and the paths of requests below them.

use provider_api::{InvalidPath, UrlPath};

/// The message for a path that servers read as paths of two routes. An attacker could use it to get past the rules of
/// one of them.
pub(crate) const AMBIGUOUS: &str =
    "servers read this path in two ways, which belong to different routes; do not escape / and ; in it";

/// Returns the segments of a configured path, as requests are compared with them.
///
/// # Errors
/// The reason for which the path cannot be a prefix: it has no normal form, or servers read it in two ways.
pub(crate) fn owned_segments(path: &str) -> Result<Vec<String>, &'static str> {
    let path = UrlPath::parse(path).map_err(InvalidPath::as_str)?;
    match path.is_unambiguous() {
        true => Ok(path.segments().map(|(segment, _)| segment.into_owned()).collect()),
        false => Err("a path prefix must not contain ; or an escaped / ; ? # or %"),
    }
}

/// Returns the offset in the normal form of `path` at which `prefix` ends, if `path` starts with all of its segments.
pub(crate) fn strip(path: &UrlPath<'_>, prefix: &[String]) -> Option<usize> {
    let mut actual = path.segments();
    let mut end = 0;
    for expected in prefix {
        let (segment, at) = actual.next()?;
        if segment != expected.as_str() {
            return None;
        }
        end = at;
    }
    Some(end)
}

/// Returns what is sent of `path`: the part from `end`, where the prefix of the endpoint ends. Up to `matched`, the end of
/// what chose the route, several slashes become one: a backend that keeps them would read another path.
pub(crate) fn rest(path: &UrlPath<'_>, end: usize, matched: usize) -> String {
    let text = path.as_str();
    let chosen = text.get(end..matched).unwrap_or_default();
    let mut rest = String::with_capacity(text.len().saturating_sub(end));
    for c in chosen.chars() {
        if c != '/' || !rest.ends_with('/') {
            rest.push(c);
        }
    }
    rest.push_str(text.get(matched.max(end)..).unwrap_or_default());
    rest
}

/// Returns the part of `path` up to `end`, where the prefix of the endpoint ends, with one slash before each segment: the
/// prefix that clients see and a backend does not.
pub(crate) fn taken(path: &UrlPath<'_>, end: usize) -> String {
    let mut taken = String::new();
    let segments = path.as_str().get(..end).unwrap_or_default().split('/');
    for segment in segments.filter(|segment| !segment.is_empty()) {
        taken.push('/');
        taken.push_str(segment);
    }
    taken
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn end(path: &str, prefix: &[String]) -> Option<usize> {
        strip(&UrlPath::parse(path).unwrap(), prefix)
    }

    #[test]
    fn equivalent_paths_compare_equal() {
        for path in ["/r4/Patient", "//r4///Patient", "/%72%34/Patient", "/r4/%50atient"] {
            assert_eq!(owned_segments(path), Ok(vec!["r4".to_owned(), "Patient".to_owned()]), "{path}");
        }
        assert_eq!(owned_segments("/%24a/%c3%a9"), owned_segments("/$a/\u{e9}"));
    }

    #[test]
    fn prefixes_have_one_reading() {
        for path in ["/a/../b", "/r4\\x", "/r4%00", "/a;x", "/a%2fb", "/a%3bx", "/a%3f", "/a%252f", "/%"] {
            assert!(owned_segments(path).is_err(), "{path}");
        }
        assert!(owned_segments("/a/.../100%25").is_ok());
    }

    #[test]
    fn prefixes_match_whole_segments() {
        let prefix = owned_segments("/r4").unwrap();
        assert_eq!(end("/r4/Patient", &prefix), Some(3));
        assert_eq!(end("/r4", &prefix), Some(3));
        assert_eq!(end("/r4evil", &prefix), None);
        // The offset is one in the normal form.
        assert_eq!(end("//%724/x", &prefix), Some(4));
        assert_eq!(end("/anything", &[]), Some(0));
    }

    #[test]
    fn slashes_of_the_matched_part_are_merged() {
        for (path, start, matched, expected) in [
            ("/r4/Patient//1/", 3, 3, "/Patient//1/"),
            ("//r4///Patient//1", 0, 13, "/r4/Patient//1"),
            ("/r4", 3, 3, ""),
            ("/r4//x", 3, 0, "//x"),
        ] {
            assert_eq!(rest(&UrlPath::parse(path).unwrap(), start, matched), expected, "{path}");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_paths_do_not_panic(path in any::<String>()) {
            let _ = owned_segments(&path);
            if let Ok(path) = UrlPath::parse(&path) {
                prop_assert_eq!(strip(&path, &[]), Some(0));
            }
        }
    }
}
