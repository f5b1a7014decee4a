//! The headers of requests to a collector, such as its API key.

use std::borrow::Cow;
use std::fmt;

use http::{HeaderMap, HeaderName, HeaderValue};

/// Headers for the collector. Their values are secrets: they are in no log and no `Debug` output.
#[derive(Clone, Default)]
pub(crate) struct Headers(HeaderMap);

impl Headers {
    /// Parses a list as `OTEL_EXPORTER_OTLP_HEADERS` has it: `name=value,name=value`, with percent-encoded values.
    ///
    /// # Errors
    /// The reason, which repeats no value.
    pub(crate) fn parse(list: &str) -> Result<Self, String> {
        let mut headers = HeaderMap::new();
        for (at, pair) in list.split(',').map(str::trim).filter(|pair| !pair.is_empty()).enumerate() {
            let at = at + 1;
            let (name, value) = pair.split_once('=').ok_or(format!("header {at} has no `=`"))?;
            let name =
                HeaderName::try_from(name.trim()).map_err(|_| format!("header {at} has no valid name"))?;
            let value = decoded(value.trim()).and_then(|value| HeaderValue::from_bytes(&value).ok());
            let mut value = value.ok_or(format!("header `{name}` has no valid value"))?;
            value.set_sensitive(true);
            headers.append(name, value);
        }
        Ok(Self(headers))
    }

    /// Returns the headers.
    pub(super) fn to_map(&self) -> HeaderMap {
        self.0.clone()
    }
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.keys()).finish()
    }
}

/// Returns the bytes of a percent-encoded text; `None` if an escape is malformed.
fn decoded(text: &str) -> Option<Cow<'_, [u8]>> {
    if !text.contains('%') {
        return Some(Cow::Borrowed(text.as_bytes()));
    }
    let mut parts = text.split('%');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2)?;
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        bytes.extend_from_slice(rest.as_bytes());
    }
    Some(Cow::Owned(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_headers() {
        let headers = Headers::parse(" Authorization=Bearer%20canary%3D , x-key = a=b,,").unwrap();
        assert_eq!(headers.0["authorization"], "Bearer canary=");
        assert_eq!(headers.0["x-key"], "a=b");
        assert_eq!(headers.0.len(), 2);
        assert!(!format!("{headers:?}").contains("canary"));
        assert!(Headers::parse("").unwrap().0.is_empty());
    }

    #[test]
    fn malformed_headers_are_refused_without_their_value() {
        for list in ["canary", "=canary", "a b=canary", "x=%4", "x=canary%zz", "x=%0acanary", "x=%+1canary"] {
            let refused = Headers::parse(list).unwrap_err();
            assert!(!refused.contains("canary"), "{refused}");
        }
    }
}
