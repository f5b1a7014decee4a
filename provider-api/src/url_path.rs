//! The normal form of URL paths: routing, tokens and what is sent to a backend use the same one.

use std::borrow::Cow;
use std::fmt;

use url::Url;

/// A URL path in its normal form (RFC 3986, section 6.2.2): escaped unreserved characters are decoded, other escapes
/// are in upper case, and bytes that may not stand in a path are escaped.
///
/// Everything that decides about a path, or sends it, must use this form. A path that servers are known to interpret
/// in ways that leave it has none:
///
/// * `.` and `..` segments, also escaped, escaped several times, with path parameters (`..;x`) or spaces after them;
/// * backslashes and control characters, also escaped (`%5C`, `%00`);
/// * a `%` without two hexadecimal digits, and escapes that are not UTF-8, such as overlong ones.
///
/// Some servers decode `%2F` before they split a path, or drop `;parameters`. [`readings`](Self::readings) are what they
/// make of the path. Where one of them leads elsewhere, refuse the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UrlPath<'a> {
    text: Cow<'a, str>,
    /// The readings with other segments, each in the spelling of a normal form.
    readings: Vec<String>,
}

/// The reason for which a path has no normal form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidPath {
    /// A `.` or `..` segment, in any spelling.
    DotSegment,
    /// A `%` without two hexadecimal digits, or too many escapes of escapes.
    Escape,
    /// A backslash or a control character, also escaped.
    Forbidden,
    /// Escapes that are not UTF-8.
    Encoding,
    /// A text that is no URL with `//` after its scheme.
    Url,
}

/// The most readings of one path. One with escapes of escapes and parameters of parameters has more, and no honest use.
const MAX_READINGS: usize = 16;

impl<'a> UrlPath<'a> {
    /// Returns the normal form of `path`, which has no query. A path that is already in it is borrowed.
    ///
    /// # Errors
    /// The reason for which the path has no normal form.
    pub fn parse(path: &'a str) -> Result<Self, InvalidPath> {
        if path.bytes().all(|b| is_plain(b) || b == b'/') {
            return match path.split('/').any(|segment| matches!(segment, "." | "..")) {
                true => Err(InvalidPath::DotSegment),
                false => Ok(Self { text: Cow::Borrowed(path), readings: Vec::new() }),
            };
        }
        let text = normalize(path)?;
        let readings = readings(&text)?;
        Ok(Self { text: Cow::Owned(text), readings })
    }

    /// Returns the path of a URL as it is written. A parsed [`Url`] has removed dot segments and replaced backslashes
    /// silently.
    ///
    /// # Errors
    /// The reason for which the path has no normal form.
    pub fn of_url(url: &'a str) -> Result<Self, InvalidPath> {
        // A URL parser drops tabs and line ends inside of a URL.
        if url.bytes().any(|b| b.is_ascii_control()) {
            return Err(InvalidPath::Forbidden);
        }
        let (scheme, rest) = url.trim().split_once("://").ok_or(InvalidPath::Url)?;
        if !scheme.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.')) {
            return Err(InvalidPath::Url);
        }
        let rest = rest.split(['?', '#']).next().unwrap_or_default();
        match rest.find(['/', '\\']) {
            Some(at) => Self::parse(rest.get(at..).unwrap_or_default()),
            None => Self::parse(""),
        }
    }

    /// Returns the normal form.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the segments for comparison, each with the offset in [`as_str`](Self::as_str) at which it ends. Empty
    /// segments are skipped, and `%24` equals `$`.
    pub fn segments(&self) -> impl Iterator<Item = (Cow<'_, str>, usize)> {
        segments_of(&self.text)
    }

    /// Returns what servers make of the path that decode escapes before they split it, once or several times, drop path
    /// parameters, or take an escaped `?` or `#` for the end. Readings with the same segments are left out, so most paths
    /// have none.
    pub fn readings(&self) -> impl Iterator<Item = UrlPath<'_>> {
        self.readings.iter().map(|text| UrlPath { text: Cow::Borrowed(text), readings: Vec::new() })
    }

    /// Returns whether servers read the path in one way only. A prefix must be so.
    pub fn is_unambiguous(&self) -> bool {
        self.readings.is_empty()
    }

    /// Returns whether the segments of `prefix` are the first ones of this path, however servers read it.
    pub fn is_below(&self, prefix: &UrlPath<'_>) -> bool {
        let below = |path: &UrlPath<'_>| {
            let mut actual = path.segments();
            prefix
                .segments()
                .all(|(expected, _)| actual.next().is_some_and(|(segment, _)| segment == expected))
        };
        prefix.is_unambiguous() && below(self) && self.readings().all(|read| below(&read))
    }
}

impl InvalidPath {
    /// Returns the description for the sender, or for the author of the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DotSegment => "a path must not contain . or .. segments",
            Self::Escape => "a path must not contain a % without two hexadecimal digits",
            Self::Forbidden => "a path must not contain backslashes or control characters",
            Self::Encoding => "the escapes of a path must be UTF-8",
            Self::Url => "expected a URL such as https://api.example.com/r4",
        }
    }
}

impl fmt::Display for InvalidPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::error::Error for InvalidPath {}

/// Returns whether `url` is at or below `prefix`: the same scheme, host and port, and the first path segments. The
/// comparison for destinations of mesh tokens; a URL whose path has no normal form covers nothing and is not covered.
///
/// ```
/// assert!(provider_api::covers("https://a.example/r4", "https://A.example:443/r4/Patient"));
/// assert!(!provider_api::covers("https://a.example/r4", "https://a.example/r4\\..\\admin"));
/// ```
pub fn covers(prefix: &str, url: &str) -> bool {
    let (Ok(prefix_path), Ok(path)) = (UrlPath::of_url(prefix), UrlPath::of_url(url)) else { return false };
    let (Ok(prefix), Ok(url)) = (Url::parse(prefix), Url::parse(url)) else { return false };
    prefix.has_host() && prefix.origin() == url.origin() && path.is_below(&prefix_path)
}

/// Returns whether a byte may stand in a segment and has no meaning there but itself: unreserved characters and
/// delimiters, without `;`.
fn is_plain(b: u8) -> bool {
    is_unreserved(b)
        || matches!(b, b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b'=' | b':' | b'@')
}

fn is_unreserved(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~')
}

/// Normalizes the escapes of a path.
fn normalize(path: &str) -> Result<String, InvalidPath> {
    let mut out = String::with_capacity(path.len() + 8);
    let mut rest = path.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        match *first {
            b'%' => {
                let byte = escaped(rest).ok_or(InvalidPath::Escape)?;
                rest = rest.get(2..).unwrap_or_default();
                if is_unreserved(byte) { out.push(char::from(byte)) } else { escape(byte, &mut out) }
            }
            b'/' | b';' => out.push(char::from(*first)),
            byte if is_plain(byte) => out.push(char::from(byte)),
            byte => escape(byte, &mut out),
        }
    }
    Ok(out)
}

/// Returns the byte of the two hexadecimal digits at the start.
fn escaped(digits: &[u8]) -> Option<u8> {
    let [high, low, ..] = digits else { return None };
    let value = |digit: &u8| char::from(*digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
    Some(value(high)? * 16 + value(low)?)
}

fn escape(byte: u8, out: &mut String) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    out.push('%');
    for digit in [byte >> 4, byte & 15] {
        out.push(DIGITS.get(usize::from(digit)).copied().map_or('0', char::from));
    }
}

/// Returns the readings of a path with other segments than its own: the steps of lenient servers, in every order.
///
/// # Errors
/// The reason for which such a server would leave the path.
fn readings(text: &str) -> Result<Vec<String>, InvalidPath> {
    // Each with whether it was decoded.
    let mut all = vec![(text.to_owned(), false)];
    let mut at = 0;
    while let Some((current, decoded)) = all.get(at).cloned() {
        at += 1;
        check(&current)?;
        let once = String::from_utf8(decode_once(current.as_bytes())).map_err(|_| InvalidPath::Encoding)?;
        let next = [
            (once, true),
            (without_parameters(&current), decoded),
            (current.split(['?', '#']).next().unwrap_or_default().to_owned(), decoded),
        ];
        for (reading, decoded) in next {
            if reading != current && !all.iter().any(|(known, _)| *known == reading) {
                all.push((reading, decoded));
            }
        }
        if all.len() > MAX_READINGS {
            return Err(InvalidPath::Escape);
        }
    }
    let mut others: Vec<String> = Vec::new();
    for (reading, decoded) in all {
        let reading = if decoded { encode(&reading) } else { reading };
        let same = |a: &str, b: &str| segments_of(a).map(|(s, _)| s).eq(segments_of(b).map(|(s, _)| s));
        if !same(&reading, text) && !others.iter().any(|other| same(other, &reading)) {
            others.push(reading);
        }
    }
    Ok(others)
}

/// Checks a reading for what leaves a path.
fn check(reading: &str) -> Result<(), InvalidPath> {
    if reading.chars().any(|c| c == '\\' || c.is_control()) {
        return Err(InvalidPath::Forbidden);
    }
    let is_dots = |segment: &str| {
        let name = segment.split([';', '?', '#']).next().unwrap_or_default();
        // Windows drops spaces at the end of a name.
        matches!(name.trim_end_matches(' '), "." | "..")
    };
    match reading.split('/').any(is_dots) {
        true => Err(InvalidPath::DotSegment),
        false => Ok(()),
    }
}

fn without_parameters(path: &str) -> String {
    let names: Vec<&str> =
        path.split('/').map(|segment| segment.split(';').next().unwrap_or_default()).collect();
    names.join("/")
}

/// Writes a decoded path in the spelling of a normal form.
fn encode(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for byte in path.bytes() {
        if is_plain(byte) || matches!(byte, b'/' | b';') {
            out.push(char::from(byte))
        } else {
            escape(byte, &mut out)
        }
    }
    out
}

/// Decodes each escape once. A `%` without two digits stays.
fn decode_once(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, after @ ..] = rest {
        rest = after;
        match escaped(rest).filter(|_| *first == b'%') {
            Some(byte) => {
                out.push(byte);
                rest = rest.get(2..).unwrap_or_default();
            }
            None => out.push(*first),
        }
    }
    out
}

/// Returns the segments of a path in its normal form, without empty ones, and where each ends.
fn segments_of(text: &str) -> impl Iterator<Item = (Cow<'_, str>, usize)> {
    let mut at = 0;
    text.split('/').filter_map(move |segment| {
        let end = at + segment.len();
        at = end + 1;
        (!segment.is_empty()).then(|| (comparable(segment), end))
    })
}

/// Decodes the escaped delimiters of a segment that mean only themselves.
fn comparable(segment: &str) -> Cow<'_, str> {
    if !segment.contains('%') {
        return Cow::Borrowed(segment);
    }
    let mut out = String::with_capacity(segment.len());
    let mut parts = segment.split('%');
    out.push_str(parts.next().unwrap_or_default());
    for part in parts {
        match escaped(part.as_bytes()).filter(|byte| is_plain(*byte)) {
            Some(byte) => {
                out.push(char::from(byte));
                out.push_str(part.get(2..).unwrap_or_default());
            }
            None => {
                out.push('%');
                out.push_str(part);
            }
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests;
