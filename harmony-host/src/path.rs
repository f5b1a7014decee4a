use std::borrow::Cow;

/// A path with a `.` or `..` segment, written out or percent-encoded. It means different things to the
/// gateway and to what stands behind it, so it is refused rather than interpreted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DotSegment;

/// The segments of a path in the form in which two paths are compared (RFC 3986, section 6.2.2): escaped
/// unreserved characters decoded, hexadecimal digits in upper case, empty segments skipped.
///
/// Each comes with the offset in `path` at which it ends.
pub(crate) fn segments(path: &str) -> impl Iterator<Item = Result<(Cow<'_, str>, usize), DotSegment>> {
    let mut at = 0;
    path.split('/').filter_map(move |raw| {
        let end = at + raw.len();
        at = end + 1;
        if raw.is_empty() {
            return None;
        }
        let segment = if raw.contains('%') { Cow::Owned(normal(raw)) } else { Cow::Borrowed(raw) };
        Some(if segment == "." || segment == ".." { Err(DotSegment) } else { Ok((segment, end)) })
    })
}

fn normal(raw: &str) -> String {
    let bytes = raw.as_bytes();
    let mut out = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(percent) = rest.find('%') {
        out.push_str(&rest[..percent]);
        let at = raw.len() - rest.len() + percent;
        let hex = bytes.get(at + 1..at + 3).and_then(|two| std::str::from_utf8(two).ok());
        let Some((hex, code)) = hex.and_then(|hex| Some((hex, u8::from_str_radix(hex, 16).ok()?))) else {
            out.push('%');
            rest = &raw[at + 1..];
            continue;
        };
        if code.is_ascii_alphanumeric() || matches!(code, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(code));
        } else {
            out.push('%');
            out.push_str(&hex.to_ascii_uppercase());
        }
        rest = &raw[at + 3..];
    }
    out.push_str(rest);
    out
}

/// The segments of a configured path.
pub(crate) fn owned_segments(path: &str) -> Result<Vec<String>, DotSegment> {
    segments(path).map(|segment| segment.map(|(text, _)| text.into_owned())).collect()
}

/// Where in `path` the prefix ends, when `path` starts with all of its segments.
pub(crate) fn strip(path: &str, prefix: &[String]) -> Option<usize> {
    let mut walk = segments(path);
    let mut end = 0;
    for expected in prefix {
        let (segment, at) = walk.next()?.ok()?;
        if segment != expected.as_str() {
            return None;
        }
        end = at;
    }
    Some(end)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn escapes_and_empty_segments_do_not_hide_a_path() {
        for path in ["/r4/Patient", "//r4///Patient", "/%72%34/Patient", "/r4/%50atient"] {
            assert_eq!(owned_segments(path), Ok(vec!["r4".to_owned(), "Patient".to_owned()]), "{path}");
        }
        assert_eq!(owned_segments("/a%2fb/%c3%a9"), Ok(vec!["a%2Fb".to_owned(), "%C3%A9".to_owned()]));
    }

    #[test]
    fn dot_segments_are_refused_however_they_are_written() {
        for path in ["/a/../b", "/./a", "/a/%2e%2E", "/%2e", "/a/.%2e/b"] {
            assert_eq!(owned_segments(path), Err(DotSegment), "{path}");
        }
        assert!(owned_segments("/a/...").is_ok());
    }

    #[test]
    fn a_prefix_is_whole_segments() {
        let prefix = owned_segments("/r4").unwrap();
        assert_eq!(strip("/r4/Patient", &prefix), Some(3));
        assert_eq!(strip("/r4", &prefix), Some(3));
        assert_eq!(strip("/r4evil", &prefix), None);
        assert_eq!(strip("//%724//x", &prefix), Some(6));
        assert_eq!(strip("/anything", &[]), Some(0));
    }

    proptest! {
        #[test]
        fn no_path_makes_it_panic(path in any::<String>()) {
            let _ = owned_segments(&path);
            prop_assert_eq!(strip(&path, &[]), Some(0));
        }

        #[test]
        fn normalising_twice_changes_nothing(path in "(/[a-c%0-9.~é]{0,6}){0,4}") {
            if let Ok(once) = owned_segments(&path) {
                let joined = format!("/{}", once.join("/"));
                prop_assert_eq!(owned_segments(&joined), Ok(once));
            }
        }
    }
}
