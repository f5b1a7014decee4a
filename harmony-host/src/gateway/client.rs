//! The client of a request, by what trusted proxies say.

use std::net::IpAddr;

use http::header::FORWARDED;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::http::forwarded::{clients, node};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Returns the last address of X-Forwarded-For that is no trusted proxy, if the peer is one: what stands before it, anybody can
/// have written. Without that header, those of Forwarded count. `None` if the peer is the client.
///
/// X-Forwarded-For comes first, because most proxies set it, and many of them pass a Forwarded of their client on.
pub(super) fn client(
    peer: IpAddr,
    headers: &HeaderMap,
    is_trusted: impl Fn(IpAddr) -> bool,
) -> Option<IpAddr> {
    if !is_trusted(peer) {
        return None;
    }
    let mut last = None;
    // What is no address may hide one before it.
    for address in senders(headers).into_iter().rev().map_while(|address| address) {
        last = Some(address);
        if !is_trusted(address) {
            break;
        }
    }
    last
}

/// Returns the senders that the proxies name, first to last; `None` for what is no address.
fn senders(headers: &HeaderMap) -> Vec<Option<IpAddr>> {
    let in_lines = |name: HeaderName, of_line: fn(&str) -> Vec<Option<IpAddr>>| {
        let lines = headers.get_all(name).into_iter().map(HeaderValue::to_str);
        lines.flat_map(|line| line.map_or_else(|_| vec![None], of_line)).collect()
    };
    match headers.contains_key(X_FORWARDED_FOR) {
        true => in_lines(X_FORWARDED_FOR, |line| line.split(',').map(node).collect()),
        false => in_lines(FORWARDED, clients),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the client of a request with these lines of a header.
    fn of(peer: &str, name: HeaderName, lines: &[&[u8]]) -> Option<String> {
        let lines = lines.iter().map(|line| (name.clone(), HeaderValue::from_bytes(line).unwrap()));
        let mut headers = HeaderMap::new();
        for (name, line) in lines {
            headers.append(name, line);
        }
        let is_trusted = |address: IpAddr| address.to_string().starts_with("10.");
        client(peer.parse().unwrap(), &headers, is_trusted).map(|address| address.to_string())
    }

    #[test]
    fn proxies_are_passed_over_from_the_end() {
        let of = |peer: &str, lines: &[&str]| {
            let lines: Vec<&[u8]> = lines.iter().map(|line| line.as_bytes()).collect();
            of(peer, X_FORWARDED_FOR, &lines)
        };
        assert_eq!(of("10.0.0.1", &["6.6.6.6, 203.0.113.7, 10.0.0.2"]).as_deref(), Some("203.0.113.7"));
        assert_eq!(of("10.0.0.1", &["6.6.6.6", "203.0.113.7"]).as_deref(), Some("203.0.113.7"));
        assert_eq!(of("10.0.0.1", &["203.0.113.7, no address, 10.0.0.2"]).as_deref(), Some("10.0.0.2"));
        assert_eq!(of("10.0.0.1", &["6.6.6.6", "203.0.113.7:4711"]).as_deref(), Some("203.0.113.7"));
        assert_eq!(of("10.0.0.1", &["10.0.0.3"]).as_deref(), Some("10.0.0.3"));
        assert_eq!(of("10.0.0.1", &[]), None);
        assert_eq!(of("203.0.113.9", &["6.6.6.6"]), None, "the peer is no proxy");
    }

    #[test]
    fn forwarded_is_read_the_same_way() {
        let of = |peer: &str, lines: &[&str]| {
            let lines: Vec<&[u8]> = lines.iter().map(|line| line.as_bytes()).collect();
            of(peer, FORWARDED, &lines)
        };
        let chain = "for=6.6.6.6, for=\"[2001:db8::7]:80\";proto=https, for=10.0.0.2;by=10.0.0.1";
        assert_eq!(of("10.0.0.1", &[chain]).as_deref(), Some("2001:db8::7"));
        assert_eq!(of("10.0.0.1", &["for=6.6.6.6", "for=203.0.113.7"]).as_deref(), Some("203.0.113.7"));
        assert_eq!(of("10.0.0.1", &["for=6.6.6.6, for=unknown, for=10.0.0.2"]).as_deref(), Some("10.0.0.2"));
        assert_eq!(of("10.0.0.1", &["for=6.6.6.6", "for=\"1, for=10.0.0.2"]), None, "it does not end");
        assert_eq!(of("203.0.113.9", &["for=6.6.6.6"]), None, "the peer is no proxy");
    }

    /// A line that is no text hides those before it, not those that proxies have appended.
    #[test]
    fn a_line_of_bytes_hides_no_proxy() {
        for (name, line) in [(X_FORWARDED_FOR, &b"203.0.113.7"[..]), (FORWARDED, b"for=203.0.113.7")] {
            assert_eq!(of("10.0.0.1", name.clone(), &[b"\xff", line]).as_deref(), Some("203.0.113.7"));
            assert_eq!(of("10.0.0.1", name, &[line, b"\xff"]), None);
        }
    }

    #[test]
    fn the_header_of_most_proxies_comes_first() {
        let mut headers = HeaderMap::new();
        headers.insert(FORWARDED, HeaderValue::from_static("for=6.6.6.6"));
        headers.insert(X_FORWARDED_FOR, HeaderValue::from_static("203.0.113.7"));
        let found = client([10, 0, 0, 1].into(), &headers, |address| address.to_string().starts_with("10."));
        assert_eq!(found, Some([203, 0, 113, 7].into()));
    }
}
