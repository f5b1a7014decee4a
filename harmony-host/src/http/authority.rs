//! The authority of a request: its host and port.

use std::sync::OnceLock;

use http::header::HOST;
use http::uri::Scheme;
use http::{HeaderMap, HeaderValue, Uri, Version};

/// Returns the host and port that the request is for (RFC 9110, section 7.2; RFC 9112, section 3.2; RFC 9113, section
/// 8.3.1): ASCII text, as the client sent it. The Host header is checked also beside a URI with a host: a server behind the
/// gateway may go by it. `known` is that of the connection.
///
/// # Errors
/// A message, if the request names no valid host.
pub(crate) fn authority(
    version: Version,
    uri: &Uri,
    headers: &HeaderMap,
    known: &KnownHost,
) -> Result<HeaderValue, &'static str> {
    const MISSING: &str = "the request names no host";
    let mut hosts = headers.get_all(HOST).iter();
    let (first, None) = (hosts.next(), hosts.next()) else {
        return Err("the request has more than one Host header");
    };
    let Some(authority) = uri.authority() else {
        return known.check(first.ok_or(MISSING)?);
    };
    let (host, authority) = (first.map(host).transpose()?, authority.as_str());
    if authority.contains('@') {
        return Err("the request names a user in its host");
    }
    if !is_valid(authority) {
        return Err("the host in the URI of the request is not a valid host");
    }
    match host {
        None if version == Version::HTTP_11 => Err("an HTTP/1.1 request must have a Host header"),
        Some(host) if version == Version::HTTP_2 && !is_same(host, authority, uri.scheme()) => {
            Err("the Host header and :authority differ")
        }
        _ => HeaderValue::from_str(authority).map_err(|_| MISSING),
    }
}

/// The first valid Host header of a connection. Most requests on it have the same, which is checked once.
#[derive(Debug, Default)]
pub(crate) struct KnownHost(OnceLock<HeaderValue>);

impl KnownHost {
    /// Returns the value of a Host header, if it is valid.
    ///
    /// # Errors
    /// A message.
    fn check(&self, value: &HeaderValue) -> Result<HeaderValue, &'static str> {
        if let Some(known) = self.0.get().filter(|known| *known == value) {
            return Ok(known.clone());
        }
        host(value)?;
        if self.0.get().is_none()
            // A copy: the value is a part of the buffer of the request.
            && let Ok(copy) = HeaderValue::from_bytes(value.as_bytes())
        {
            let _ = self.0.set(copy);
        }
        Ok(value.clone())
    }
}

/// Checks that a request is for a resource of a web server: its target is a path, or a URL of http or https (RFC 9112,
/// section 3.2). `*` is left to the caller.
///
/// # Errors
/// The message for the sender.
pub(crate) fn check_target(uri: &Uri) -> Result<(), &'static str> {
    match (uri.scheme(), uri.authority()) {
        (Some(scheme), Some(_)) if *scheme == Scheme::HTTP || *scheme == Scheme::HTTPS => Ok(()),
        (Some(_), _) => Err("the gateway forwards requests for http and https only"),
        // `b.example:80` is the form of CONNECT.
        (None, Some(_)) => Err("the target of the request is neither a path nor a URL"),
        (None, None) => match uri.path_and_query().is_some_and(|at| at.as_str().starts_with(['/', '*'])) {
            true => Ok(()),
            false => Err("the path of a request must start with /"),
        },
    }
}

/// Returns the value of a Host header.
fn host(value: &HeaderValue) -> Result<&str, &'static str> {
    let host = value.to_str().ok().filter(|host| is_valid(host));
    host.ok_or("the Host header is not a valid host")
}

fn is_valid(host: &str) -> bool {
    let plain = |b: u8| {
        b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':' | b'[' | b']' | b'%' | b'~')
    };
    host.bytes().all(plain) && split_port(host).is_some_and(|(host, _)| !host.is_empty())
}

/// Returns whether two authorities name the same host and port.
fn is_same(one: &str, other: &str, scheme: Option<&Scheme>) -> bool {
    let default = if scheme == Some(&Scheme::HTTPS) { 443 } else { 80 };
    match (split_port(one), split_port(other)) {
        (Some((one, port)), Some((other, another))) => {
            one.eq_ignore_ascii_case(other) && port.unwrap_or(default) == another.unwrap_or(default)
        }
        _ => false,
    }
}

/// Splits `host:port`, `[v6]:port` or `host` into host and port. `None` if the port or an IPv6 address is malformed.
pub(crate) fn split_port(authority: &str) -> Option<(&str, Option<u16>)> {
    let digits = authority.bytes().rev().take_while(u8::is_ascii_digit).count();
    let (before, port) = authority.split_at_checked(authority.len() - digits)?;
    let (host, port) = before.strip_suffix(':').map_or((authority, ""), |host| (host, port));
    let is_bracketed = host.strip_prefix('[').is_some_and(|rest| rest.ends_with(']'));
    // Bytes: a search for a character in a short text takes longer.
    if !is_bracketed && host.bytes().any(|byte| byte == b':') {
        return None;
    }
    // RFC 3986, section 3.2.3: an empty port means the default port of the scheme.
    if port.is_empty() { Some((host, None)) } else { Some((host, Some(port.parse().ok()?))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(version: Version, uri: &str, hosts: &[&str]) -> Result<String, &'static str> {
        let hosts = hosts.iter().map(|host| (HOST, HeaderValue::from_str(host).unwrap()));
        let (uri, headers, known) = (uri.parse().unwrap(), hosts.collect(), KnownHost::default());
        let [first, again] = [(); 2].map(|()| authority(version, &uri, &headers, &known));
        assert_eq!(first, again);
        first.map(|authority| authority.to_str().unwrap().to_owned())
    }

    #[test]
    fn two_hosts_are_a_bad_request() {
        for uri in ["/x", "http://a.example/x"] {
            assert_eq!(of(Version::HTTP_11, uri, &["a.example"]).as_deref(), Ok("a.example"));
            for two in [["a.example", "b.example"], ["a.example", "a.example"]] {
                assert!(of(Version::HTTP_11, uri, &two).is_err(), "{uri} {two:?}");
            }
        }
    }

    /// The known host of a connection stands for no other one.
    #[test]
    fn another_host_on_the_connection_is_checked() {
        let known = KnownHost::default();
        for (host, is_valid) in
            [("a/b", false), ("a:80", true), ("A:80", true), ("a/b", false), ("a:80", true)]
        {
            let headers = HeaderMap::from_iter([(HOST, HeaderValue::from_static(host))]);
            let found = authority(Version::HTTP_11, &Uri::from_static("/"), &headers, &known);
            assert_eq!(found.ok(), is_valid.then(|| HeaderValue::from_static(host)), "{host}");
        }
    }

    #[test]
    fn a_host_beside_a_url_is_checked() {
        let url = "http://a.example/x";
        assert_eq!(of(Version::HTTP_11, url, &["other.example:81"]).as_deref(), Ok("a.example"));
        assert_eq!(of(Version::HTTP_2, url, &["A.example:80"]).as_deref(), Ok("a.example"));
        for version in [Version::HTTP_10, Version::HTTP_2] {
            assert_eq!(of(version, url, &[]).as_deref(), Ok("a.example"));
        }
        assert!(of(Version::HTTP_11, url, &[]).is_err());
        assert!(of(Version::HTTP_2, url, &["other.example"]).is_err());
        for bad in ["", "a b", "a/x", "u@a", "a:http", "a,b", ":80", "a:65536"] {
            assert!(of(Version::HTTP_11, url, &[bad]).is_err(), "{bad}");
        }
    }

    #[test]
    fn targets_are_paths_or_web_urls() {
        for good in ["/", "/x?q", "*", "http://a", "https://a:1/x", "HTTP://a/"] {
            assert_eq!(check_target(&good.parse().unwrap()), Ok(()), "{good}");
        }
        for bad in ["b.example:80", "b.example", "ftp://a/x", "ws://a/", "gopher://a"] {
            assert!(check_target(&bad.parse().unwrap()).is_err(), "{bad}");
        }
    }

    #[test]
    fn ports_are_split_off() {
        assert_eq!(split_port("a.example:8080"), Some(("a.example", Some(8080))));
        assert_eq!(split_port("[::1]:80"), Some(("[::1]", Some(80))));
        assert_eq!(split_port("[::1]"), Some(("[::1]", None)));
        assert_eq!(split_port("a"), Some(("a", None)));
        assert_eq!(split_port("a:"), Some(("a", None)));
        assert_eq!(split_port("[::1]:"), Some(("[::1]", None)));
        assert_eq!(split_port("10.0.0.1"), Some(("10.0.0.1", None)));
        assert_eq!(split_port(":80"), Some(("", Some(80))));
        for bad in ["a:http", "a:65536", "a:80:80", "a:+80", "::1", "[::1", "[::1]5", "[::1]x:", "[a]:http"] {
            assert_eq!(split_port(bad), None, "{bad}");
        }
    }
}
