//! Normalization and comparison of URL paths.

use std::borrow::Cow;

/// A path that the gateway and a backend may interpret differently. An attacker could use it to get past a route, so
/// it is rejected and never rewritten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BadPath {
    /// A `.` or `..` segment, written out or escaped, also between escaped slashes or backslashes.
    DotSegment,
    /// A `%` that is not followed by two hexadecimal digits.
    Escape,
}

impl BadPath {
    /// Returns the description for the sender, or for the author of the configuration.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::DotSegment => "a path must not contain . or .. segments",
            Self::Escape => "a path must not contain a % without two hexadecimal digits",
        }
    }
}

/// Returns the segments of a path, normalized for comparison (RFC 3986, section 6.2.2): escaped unreserved characters
/// are decoded, hexadecimal digits are in upper case, empty segments are skipped.
///
/// Each segment comes with the offset in `path` at which it ends.
pub(crate) fn segments(path: &str) -> impl Iterator<Item = Result<(Cow<'_, str>, usize), BadPath>> {
    let mut at = 0;
    path.split('/').filter_map(move |raw| {
        let end = at + raw.len();
        at = end + 1;
        if raw.is_empty() {
            return None;
        }
        let plain = !raw.bytes().any(|b| matches!(b, b'%' | b'\\' | b';'));
        let segment = if plain { Ok(Cow::Borrowed(raw)) } else { normalize(raw).map(Cow::Owned) };
        Some(segment.and_then(|segment| match has_dot_segment(&segment, plain) {
            true => Err(BadPath::DotSegment),
            false => Ok((segment, end)),
        }))
    })
}

/// Returns whether a segment is a dot segment, or contains a part that some servers treat as one.
fn has_dot_segment(segment: &str, plain: bool) -> bool {
    // Some servers cut a segment at the semicolon (path parameters), so `..;x` climbs there.
    let is_dot_segment = |part: &str| matches!(part.split(';').next(), Some("." | ".."));
    if plain {
        return is_dot_segment(segment);
    }
    segment.replace("%2F", "/").replace("%5C", "/").replace("%3B", ";").split(['/', '\\']).any(is_dot_segment)
}

/// Normalizes the escapes of one segment.
fn normalize(raw: &str) -> Result<String, BadPath> {
    let mut out = String::with_capacity(raw.len());
    let mut parts = raw.split('%');
    out.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let hex = part.get(..2).filter(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()));
        let hex = hex.ok_or(BadPath::Escape)?;
        let code = u8::from_str_radix(hex, 16).map_err(|_| BadPath::Escape)?;
        if code.is_ascii_alphanumeric() || matches!(code, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(code));
        } else {
            out.push('%');
            out.push_str(&hex.to_ascii_uppercase());
        }
        out.push_str(&part[2..]);
    }
    Ok(out)
}

/// Returns the normalized segments of a configured path.
pub(crate) fn owned_segments(path: &str) -> Result<Vec<String>, BadPath> {
    segments(path).map(|segment| segment.map(|(text, _)| text.into_owned())).collect()
}

/// Returns the offset at which `prefix` ends in `path`, if `path` starts with all of its segments.
pub(crate) fn strip(path: &str, prefix: &[String]) -> Option<usize> {
    let mut actual = segments(path);
    let mut end = 0;
    for expected in prefix {
        let (segment, at) = actual.next()?.ok()?;
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
    fn equivalent_paths_compare_equal() {
        for path in ["/r4/Patient", "//r4///Patient", "/%72%34/Patient", "/r4/%50atient"] {
            assert_eq!(owned_segments(path), Ok(vec!["r4".to_owned(), "Patient".to_owned()]), "{path}");
        }
        assert_eq!(owned_segments("/a%2fb/%c3%a9"), Ok(vec!["a%2Fb".to_owned(), "%C3%A9".to_owned()]));
    }

    #[test]
    fn dot_segments_are_rejected_in_every_form() {
        for path in [
            "/a/../b",
            "/./a",
            "/a/%2e%2E",
            "/%2e",
            "/a/.%2e/b",
            "/a/..%2fb",
            "/a/x%2F%2e%5cb",
            "/..\\b",
            "/..;x/b",
            "/%2e.%3b/b",
        ] {
            assert_eq!(owned_segments(path), Err(BadPath::DotSegment), "{path}");
        }
        for path in ["/%", "/a%2", "/%zz", "/%2%65", "/%é1"] {
            assert_eq!(owned_segments(path), Err(BadPath::Escape), "{path}");
        }
        assert!(owned_segments("/a/...").is_ok());
    }

    #[test]
    fn prefixes_match_whole_segments() {
        let prefix = owned_segments("/r4").unwrap();
        assert_eq!(strip("/r4/Patient", &prefix), Some(3));
        assert_eq!(strip("/r4", &prefix), Some(3));
        assert_eq!(strip("/r4evil", &prefix), None);
        assert_eq!(strip("//%724//x", &prefix), Some(6));
        assert_eq!(strip("/anything", &[]), Some(0));
    }

    proptest! {
        #[test]
        fn arbitrary_paths_do_not_panic(path in any::<String>()) {
            let _ = owned_segments(&path);
            prop_assert_eq!(strip(&path, &[]), Some(0));
        }

        #[test]
        fn normalizing_is_idempotent(path in "(/[a-c%0-9.~é]{0,6}){0,4}") {
            if let Ok(once) = owned_segments(&path) {
                let joined = format!("/{}", once.join("/"));
                prop_assert_eq!(owned_segments(&joined), Ok(once));
            }
        }
    }
}
