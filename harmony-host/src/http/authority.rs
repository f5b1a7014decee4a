//! The authority of a request: its host and port.

use http::header::HOST;
use http::{HeaderMap, Uri};

/// Returns the host and port that the request is for (RFC 9110, section 7.2; RFC 9113, section 8.3.1).
///
/// # Errors
/// A message, if the request names no valid host.
pub(crate) fn authority(uri: &Uri, headers: &HeaderMap) -> Result<String, &'static str> {
    const MISSING: &str = "the request names no host";
    // RFC 9112, section 3.2: more than one Host header is a bad request, also beside a URI with a host.
    let mut hosts = headers.get_all(HOST).iter();
    let (first, None) = (hosts.next(), hosts.next()) else {
        return Err("the request has more than one Host header");
    };
    if let Some(authority) = uri.authority() {
        return match authority.as_str().contains('@') {
            true => Err("the request names a user in its host"),
            false => Ok(authority.as_str().to_owned()),
        };
    }
    let host = first.ok_or(MISSING)?.to_str().map_err(|_| MISSING)?;
    let plain = |b: u8| {
        b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':' | b'[' | b']' | b'%' | b'~')
    };
    match !host.is_empty() && host.bytes().all(plain) {
        true => Ok(host.to_owned()),
        false => Err("the Host header is not a valid host"),
    }
}

/// Splits `host:port`, `[v6]:port` or `host` into host and port. `None` if the port or an IPv6 address is malformed.
pub(crate) fn split_port(authority: &str) -> Option<(&str, Option<u16>)> {
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (authority, None),
    };
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    if host.contains(':') && bare.is_none() {
        return None;
    }
    match port {
        Some(port) if !port.bytes().all(|b| b.is_ascii_digit()) => None,
        // RFC 3986, section 3.2.3: an empty port means the default port of the scheme.
        Some("") | None => Some((host, None)),
        Some(port) => Some((host, Some(port.parse().ok()?))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_hosts_are_a_bad_request() {
        let host = |name: &'static str| (HOST, http::HeaderValue::from_static(name));
        let two: HeaderMap = [host("a.example"), host("b.example")].into_iter().collect();
        let mut same = HeaderMap::from_iter([host("a.example")]);
        for uri in ["/x", "http://a.example/x"] {
            let uri: Uri = uri.parse().unwrap();
            assert_eq!(authority(&uri, &same).as_deref(), Ok("a.example"));
            assert!(authority(&uri, &two).is_err(), "{uri}");
        }
        same.append(HOST, http::HeaderValue::from_static("a.example"));
        assert!(authority(&Uri::from_static("/x"), &same).is_err());
    }

    #[test]
    fn ports_are_split_off() {
        assert_eq!(split_port("a.example:8080"), Some(("a.example", Some(8080))));
        assert_eq!(split_port("[::1]:80"), Some(("[::1]", Some(80))));
        assert_eq!(split_port("[::1]"), Some(("[::1]", None)));
        assert_eq!(split_port("a"), Some(("a", None)));
        assert_eq!(split_port("a:"), Some(("a", None)));
        for bad in ["a:http", "a:65536", "a:80:80", "a:+80", "::1"] {
            assert_eq!(split_port(bad), None, "{bad}");
        }
    }
}
