//! The headers of forwarded requests and responses: hop-by-hop, Forwarded, Via.

use http::header::{
    CONNECTION, COOKIE, EXPECT, FORWARDED, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRANSFER_ENCODING,
    UPGRADE, VIA,
};
use http::{HeaderMap, HeaderName, HeaderValue, Version};

use crate::http::connection_info::ForwardedPeer;
use crate::http::url_prefix::Scheme;

/// The header of a probe: the secret in the request, and the result in the response.
pub(crate) const PROBE_HEADER: &str = "x-harmony-probe";

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// The maximum number of Via entries. A request with more is treated as a loop.
const MAX_HOPS: usize = 16;

/// Removes the headers that are for this connection only (RFC 9110, section 7.6.1).
pub(crate) fn remove_hop_by_hop(headers: &mut HeaderMap) {
    if headers.contains_key(CONNECTION) {
        let listed: Vec<HeaderName> = headers
            .get_all(CONNECTION)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .filter_map(|name| name.trim().parse().ok())
            .collect();
        for name in listed {
            headers.remove(name);
        }
        headers.remove(CONNECTION);
    }
    remove_all(headers, &HOP_BY_HOP);
}

/// The hop-by-hop headers, besides Connection and those that it lists.
const HOP_BY_HOP: [HeaderName; 7] =
    [KEEP_ALIVE, PROXY_CONNECTION, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRANSFER_ENCODING, UPGRADE];

/// The headers of a client that the gateway does not forward: it sets them itself, or only a proxy may set them.
const NOT_FORWARDED: [HeaderName; 6] = [
    EXPECT,
    // It holds the probe secret of a gateway; a backend must not see it.
    HeaderName::from_static(PROBE_HEADER),
    HeaderName::from_static("x-forwarded-port"),
    HeaderName::from_static("x-forwarded-prefix"),
    HeaderName::from_static("x-forwarded-server"),
    HeaderName::from_static("x-real-ip"),
];

/// Removes the headers in `names`. One pass over the present headers is faster than a lookup for each name.
fn remove_all(headers: &mut HeaderMap, names: &[HeaderName]) {
    let found: Vec<HeaderName> = headers.keys().filter(|name| names.contains(name)).cloned().collect();
    for name in found {
        headers.remove(name);
    }
}

/// The sender of a request, as Forwarded and X-Forwarded-* report it to the backend.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sender<'a> {
    pub(crate) peer: &'a ForwardedPeer,
    pub(crate) scheme: Scheme,
    /// The host and port, as the client sent them.
    pub(crate) authority: &'a str,
}

/// Converts the headers of a client's request to those of the request to the backend. This gateway appends itself to
/// Forwarded, X-Forwarded-For and Via; it never trusts their entries, since a client can forge them. It replaces
/// X-Forwarded-Host and X-Forwarded-Proto with what it received.
pub(crate) fn prepare_request(headers: &mut HeaderMap, version: Version, sender: &Sender<'_>) {
    remove_hop_by_hop(headers);
    remove_all(headers, &NOT_FORWARDED);
    if version == Version::HTTP_2 {
        join_cookies(headers);
    }
    headers.reserve(6);
    append(headers, X_FORWARDED_FOR, &sender.peer.address);
    put(headers, X_FORWARDED_HOST, sender.authority);
    headers.insert(X_FORWARDED_PROTO, HeaderValue::from_static(sender.scheme.as_str()));
    append_forwarded(headers, sender);
    append_via(headers, version);
}

/// Appends this hop to Forwarded (RFC 7239, section 4).
fn append_forwarded(headers: &mut HeaderMap, sender: &Sender<'_>) {
    let (node, host, proto) = (&sender.peer.node, sender.authority, sender.scheme.as_str());
    // The host is a quoted string: these characters could end it and forge another parameter.
    if !host.contains(['"', '\\']) {
        append(headers, FORWARDED, &format!("for={node};host=\"{host}\";proto={proto}"));
    }
}

/// Appends to a list header. Several lines of it become one.
fn append(headers: &mut HeaderMap, name: HeaderName, element: &str) {
    if !headers.contains_key(&name) {
        return put(headers, name, element);
    }
    let lines = headers.get_all(&name).iter().filter_map(|value| value.to_str().ok());
    let whole = lines.chain([element]).collect::<Vec<_>>().join(", ");
    put(headers, name, &whole);
}

/// Returns whether the body has no transfer coding other than chunked (RFC 9112, section 6.1).
pub(crate) fn is_plainly_framed(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => true,
        (Some(only), None) => only.as_bytes().eq_ignore_ascii_case(b"chunked"),
        _ => false,
    }
}

/// Appends this hop to Via (RFC 9110, section 7.6.3).
pub(crate) fn append_via(headers: &mut HeaderMap, version: Version) {
    let via = match version {
        Version::HTTP_2 => HeaderValue::from_static("2 harmony"),
        Version::HTTP_10 => HeaderValue::from_static("1.0 harmony"),
        _ => HeaderValue::from_static("1.1 harmony"),
    };
    headers.append(VIA, via);
}

/// Returns whether the request passed more than [`MAX_HOPS`] gateways.
pub(crate) fn is_loop(headers: &HeaderMap) -> bool {
    headers.contains_key(VIA)
        && headers
            .get_all(VIA)
            .iter()
            .map(|value| value.as_bytes().split(|b| *b == b',').count())
            .sum::<usize>()
            > MAX_HOPS
}

/// Joins the Cookie headers. HTTP/2 may split them; HTTP/1.1 may not (RFC 9113, section 8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    if headers.get_all(COOKIE).iter().nth(1).is_none() {
        return;
    }
    let all: Vec<&[u8]> = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if let Ok(joined) = HeaderValue::from_bytes(&all.join(&b"; "[..])) {
        headers.insert(COOKIE, joined);
    }
}

/// Sets a header, or removes it if the value is not allowed in one.
fn put(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    match HeaderValue::from_str(value) {
        Ok(value) => drop(headers.insert(name, value)),
        Err(_) => drop(headers.remove(name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(list: &[(&str, &str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in list {
            map.append(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        }
        map
    }

    #[test]
    fn connection_options_are_removed() {
        let mut map = headers(&[
            ("connection", "close, X-Secret-Hop"),
            ("x-secret-hop", "1"),
            ("te", "trailers"),
            ("upgrade", "h2c"),
            ("x-kept", "1"),
        ]);
        remove_hop_by_hop(&mut map);
        assert_eq!(map.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["x-kept"]);
    }

    #[test]
    fn forwarding_headers_are_prepared() {
        let mut map = headers(&[
            ("x-forwarded-for", "203.0.113.7"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "spoofed"),
            ("forwarded", "for=203.0.113.7"),
            ("x-harmony-probe", "secret"),
            ("cookie", "a=1"),
            ("cookie", "b=2"),
        ]);
        let peer = ForwardedPeer::new("::ffff:10.0.0.1".parse().unwrap());
        let sender = Sender { peer: &peer, scheme: Scheme::Http, authority: "a:8080" };
        prepare_request(&mut map, Version::HTTP_2, &sender);
        assert_eq!(map["x-forwarded-for"], "203.0.113.7, 10.0.0.1");
        assert_eq!(map["x-forwarded-proto"], "http");
        assert_eq!(map["x-forwarded-host"], "a:8080");
        assert_eq!(map["forwarded"], "for=203.0.113.7, for=10.0.0.1;host=\"a:8080\";proto=http");
        assert_eq!(map["cookie"], "a=1; b=2");
        assert_eq!(map["via"], "2 harmony");
        assert!(!map.contains_key("x-harmony-probe"));
    }

    #[test]
    fn too_many_hops_are_a_loop() {
        let list = ["1.1 x"; 9].join(", ");
        assert!(!is_loop(&headers(&[("via", &list)])));
        assert!(is_loop(&headers(&[("via", &list), ("via", &list)])));
    }
}
