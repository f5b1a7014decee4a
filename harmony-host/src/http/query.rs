//! Queries of URLs: their normal form, and their parameters.

use std::borrow::Cow;

/// Returns the query with the characters escaped that a URL must not contain (RFC 3986, section 3.4) and that clients send
/// all the same; strict servers refuse these. Brackets stay: they are common, and every server takes them.
#[cfg(feature = "gateway")]
pub(crate) fn escaped(query: &str) -> Cow<'_, str> {
    let is_foreign =
        |b: u8| matches!(b, b'"' | b'<' | b'>' | b'`' | b'{' | b'}' | b'|' | b'^' | b'\\') || !b.is_ascii();
    if !query.bytes().any(is_foreign) {
        return Cow::Borrowed(query);
    }
    let mut out = String::with_capacity(query.len() + 16);
    for byte in query.bytes() {
        match is_foreign(byte) {
            true => out.push_str(&format!("%{byte:02X}")),
            false => out.push(char::from(byte)),
        }
    }
    Cow::Owned(out)
}

/// Returns the value of a parameter, decoded; the first one of several.
pub(crate) fn parameter<'q>(query: &'q str, name: &str) -> Option<Cow<'q, str>> {
    url::form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == name).map(|(_, value)| value)
}

#[cfg(all(test, feature = "gateway"))]
mod tests {
    use super::*;

    #[test]
    fn only_foreign_characters_are_escaped() {
        assert!(matches!(escaped("a=1&b[]=%7c;/?:@-._~!$'()*+,"), Cow::Borrowed(_)));
        assert_eq!(
            escaped("c=http://x|1&d={\"a\"}^`<>\\\u{fc}%"),
            "c=http://x%7C1&d=%7B%22a%22%7D%5E%60%3C%3E%5C%C3%BC%"
        );
    }
}
