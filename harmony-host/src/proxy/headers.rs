//! The headers of forwarded requests and responses: hop-by-hop, Forwarded, Via.

use http::header::{
    CONNECTION, CONTENT_LENGTH, COOKIE, EXPECT, Entry, FORWARDED, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION,
    TE, TRANSFER_ENCODING, UPGRADE, VIA,
};
use http::{HeaderMap, HeaderName, HeaderValue, Version};

use provider_api::UrlPath;

use crate::http::claims::{is_claim_of_proxy, is_claim_or_disguise};
use crate::http::url_prefix::Scheme;
use crate::proxy::chains::{X_FORWARDED_FOR, append_sender};

pub(super) use crate::proxy::chains::{Sender, Trust, append_via, is_loop};

pub(super) const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
pub(super) const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PREFIX: HeaderName = HeaderName::from_static("x-forwarded-prefix");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Removes the headers that are for this connection only (RFC 9110, section 7.6.1).
pub(crate) fn remove_hop_by_hop(headers: &mut HeaderMap) {
    remove_hop_by_hop_and(headers, |_| false);
}

/// Removes the headers that are for this connection only, and others. One pass over the present headers is faster than a
/// lookup for each name.
fn remove_hop_by_hop_and(headers: &mut HeaderMap, is_removed: impl Fn(&HeaderName) -> bool) {
    for name in listed_options(headers) {
        headers.remove(name);
    }
    let is_removed = |name: &&HeaderName| HOP_BY_HOP.contains(*name) || is_removed(name);
    let removed: Vec<HeaderName> = headers.keys().filter(is_removed).cloned().collect();
    for name in removed {
        headers.remove(name);
    }
}

/// Returns the names of headers that Connection lists.
pub(super) fn listed_options(headers: &HeaderMap) -> Vec<HeaderName> {
    // Most messages have few headers: comparing names takes less time than a lookup.
    let lines = headers.iter().filter(|(name, _)| **name == CONNECTION);
    lines
        .flat_map(|(_, value)| value.as_bytes().split(|b| *b == b','))
        .map(<[u8]>::trim_ascii)
        // Keep-Alive is removed anyway. It is the option that most servers list.
        .filter(|name| !name.eq_ignore_ascii_case(b"keep-alive"))
        // An option that is no name of a header hides no other one.
        .filter_map(|name| HeaderName::from_bytes(name).ok())
        .collect()
}

/// The hop-by-hop headers, besides those that Connection lists.
const HOP_BY_HOP: [HeaderName; 8] = [
    CONNECTION,
    KEEP_ALIVE,
    PROXY_CONNECTION,
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// The maximum Content-Length. Many recipients keep it in a signed number.
pub(super) const MAX_LENGTH: u64 = i64::MAX as u64;

/// The headers of proxies that the gateway extends or replaces.
const OWN: [HeaderName; 5] = [FORWARDED, VIA, X_FORWARDED_FOR, X_FORWARDED_HOST, X_FORWARDED_PROTO];

/// Returns whether the gateway does not forward a header of a client: only a proxy may set it, or it is a disguise of
/// another one.
fn is_withheld(name: &HeaderName) -> bool {
    *name == EXPECT || (!OWN.contains(name) && is_claim_or_disguise(name.as_str()))
}

/// The fate of a header of a client's request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// Forwarded as it is, unless Connection lists it.
    Kept,
    /// Not forwarded.
    Dropped,
    /// Extended or replaced by [`append_own`].
    Own,
}

/// Returns the fate of a header. [`prepare_request`] does the same to a whole map.
pub(super) fn fate(name: &HeaderName, trust: Trust) -> Fate {
    match name.as_str() {
        "connection"
        | "keep-alive"
        | "proxy-connection"
        | "proxy-authenticate"
        | "proxy-authorization"
        | "te"
        | "transfer-encoding"
        | "upgrade"
        | "expect"
        | "host" => Fate::Dropped,
        "forwarded" | "via" | "x-forwarded-for" | "x-forwarded-host" | "x-forwarded-proto" => Fate::Own,
        name if !is_claim_or_disguise(name) => Fate::Kept,
        name if trust != Trust::Proxy || !is_claim_of_proxy(name) => Fate::Dropped,
        "x-forwarded-prefix" => Fate::Own,
        _ => Fate::Kept,
    }
}

/// Converts the headers of a client's request to those of the request to the backend. This gateway appends itself to
/// Forwarded, X-Forwarded-For and Via; it never trusts their entries, since a client can forge them. It replaces
/// X-Forwarded-Host and X-Forwarded-Proto with what it received, and X-Forwarded-Prefix with the prefix that it has taken
/// off, which links in responses need. What a trusted proxy says is kept, and its prefix comes first.
pub(crate) fn prepare_request(headers: &mut HeaderMap, version: Version, sender: &Sender<'_>) {
    let is_believed = |name: &HeaderName| sender.trust == Trust::Proxy && is_claim_of_proxy(name.as_str());
    remove_hop_by_hop_and(headers, |name| is_withheld(name) && !is_believed(name));
    if version == Version::HTTP_2 {
        join_cookies(headers);
    }
    // With the request id and the trace, which follow.
    headers.reserve(8);
    append_own(headers, version, sender);
}

/// Appends the gateway to the headers of proxies, and sets those that it replaces.
pub(super) fn append_own(headers: &mut HeaderMap, version: Version, sender: &Sender<'_>) {
    headers.reserve(6);
    append_sender(headers, sender);
    set(headers, X_FORWARDED_HOST, sender.authority.clone(), sender.trust);
    let proto = HeaderValue::from_static(match sender.peer.scheme {
        Scheme::Http => "http",
        Scheme::Https => "https",
    });
    set(headers, X_FORWARDED_PROTO, proto, sender.trust);
    put_prefix(headers, sender.prefix);
    append_via(headers, version);
}

/// Returns whether the body has no transfer coding other than chunked (RFC 9112, section 6.1). Old servers send `identity`,
/// which is none.
pub(crate) fn is_plainly_framed(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => true,
        (Some(only), None) => {
            let is = |coding: &[u8]| only.as_bytes().eq_ignore_ascii_case(coding);
            is(b"chunked") || is(b"identity")
        }
        _ => false,
    }
}

/// Makes one Content-Length of several, without leading zeros: some recipients take no more than 19 digits. hyper checks several
/// on HTTP/1.1; on HTTP/2 it goes by the first one only, and would send all of them on.
///
/// # Errors
/// `Err(())` if they are not the same number.
pub(crate) fn merge_lengths(headers: &mut HeaderMap) -> Result<(), ()> {
    let mut lengths =
        headers.get_all(CONTENT_LENGTH).iter().flat_map(|value| value.as_bytes().split(|b| *b == b','));
    let Some(first) = lengths.next() else { return Ok(()) };
    let length = number(first).ok_or(())?;
    let mut is_kept = first.len() == 1 || !first.starts_with(b"0");
    for other in lengths {
        is_kept = false;
        if number(other) != Some(length) {
            return Err(());
        }
    }
    if !is_kept {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    Ok(())
}

/// Returns the number of a Content-Length; `None` if it has anything but digits, or is above [`MAX_LENGTH`].
pub(super) fn number(digits: &[u8]) -> Option<u64> {
    let digits = digits.trim_ascii();
    let is_number = digits.iter().all(u8::is_ascii_digit);
    let number = std::str::from_utf8(digits).ok().filter(|_| is_number)?.parse().ok();
    number.filter(|number| *number <= MAX_LENGTH)
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

/// Sets a header, unless a trusted proxy has set it.
fn set(headers: &mut HeaderMap, name: HeaderName, value: HeaderValue, trust: Trust) {
    match headers.entry(name) {
        Entry::Vacant(entry) => drop(entry.insert(value)),
        Entry::Occupied(mut entry) => {
            let is_said = !entry.get().is_empty() && entry.iter().nth(1).is_none();
            if trust != Trust::Proxy || !is_said {
                entry.insert(value);
            }
        }
    }
}

/// Sets X-Forwarded-Prefix to the prefix that clients see: that of a trusted proxy, if it is a path, and the own one.
fn put_prefix(headers: &mut HeaderMap, own: &str) {
    if own.is_empty() && !headers.contains_key(X_FORWARDED_PREFIX) {
        return;
    }
    let mut outer = headers.get_all(X_FORWARDED_PREFIX).iter().map(HeaderValue::to_str);
    let prefix = match (outer.next(), outer.next()) {
        (Some(Ok(outer)), None) if outer.starts_with('/') && !outer.contains(',') => UrlPath::parse(outer)
            .map(|path| path.as_str().trim_end_matches('/').to_owned())
            .unwrap_or_default(),
        _ => String::new(),
    };
    let prefix = prefix + own;
    match HeaderValue::from_str(&prefix).ok().filter(|value| !value.is_empty()) {
        Some(prefix) => drop(headers.insert(X_FORWARDED_PREFIX, prefix)),
        None => drop(headers.remove(X_FORWARDED_PREFIX)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::connection_info::ForwardedPeer;

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
        let peer = ForwardedPeer::new("::ffff:10.0.0.1".parse().unwrap(), Scheme::Http);
        let authority = HeaderValue::from_static("a:8080");
        let sender = Sender { peer: &peer, authority: &authority, prefix: "", trust: Trust::Chains };
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
    fn an_option_that_is_no_name_hides_no_other() {
        for option in [&b"x-hop, \xe9"[..], b"\xe9,x-hop", b"x-hop,", b"\"a, x-hop , b\"", b"close;x, X-HOP"]
        {
            let mut map = headers(&[("x-hop", "1"), ("x-kept", "1")]);
            map.insert(CONNECTION, HeaderValue::from_bytes(option).unwrap());
            remove_hop_by_hop(&mut map);
            assert_eq!(map.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["x-kept"], "{option:?}");
        }
    }

    #[test]
    fn lengths_are_merged_or_refused() {
        for (lengths, merged) in [
            (&["4"][..], Ok(Some("4"))),
            (&["4", "4"], Ok(Some("4"))),
            (&["4, 4"], Ok(Some("4"))),
            (&["0"], Ok(Some("0"))),
            (&["0004"], Ok(Some("4"))),
            (&["00000000000000000000000000"], Ok(Some("0"))),
            (&[], Ok(None)),
            (&["4", "5"], Err(())),
            (&["4, 5"], Err(())),
            (&["+4"], Err(())),
            (&["4", ""], Err(())),
            (&["9223372036854775807"], Ok(Some("9223372036854775807"))),
            (&["9223372036854775808"], Err(())),
            (&["18446744073709551616"], Err(())),
        ] {
            let pairs: Vec<_> = lengths.iter().map(|length| ("content-length", *length)).collect();
            let mut map = headers(&pairs);
            let found = merge_lengths(&mut map).map(|()| {
                let all: Vec<_> = map.get_all(CONTENT_LENGTH).iter().collect();
                assert!(all.len() < 2, "{lengths:?}");
                all.first().map(|value| value.to_str().unwrap().to_owned())
            });
            assert_eq!(found, merged.map(|length: Option<&str>| length.map(str::to_owned)), "{lengths:?}");
        }
    }
}
