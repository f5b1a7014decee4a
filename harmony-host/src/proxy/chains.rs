//! The chains of proxies: Forwarded, X-Forwarded-For and Via, each with an element per hop.

use http::header::{Entry, FORWARDED, VIA};
use http::{HeaderMap, HeaderName, HeaderValue, Version};

use crate::http::connection_info::ForwardedPeer;
use crate::http::forwarded::is_list_of_elements;

pub(super) const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The sender of a request, as Forwarded and X-Forwarded-* report it to the backend.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sender<'a> {
    pub(crate) peer: &'a ForwardedPeer,
    /// The host and port, as the client sent them.
    pub(crate) authority: &'a HeaderValue,
    /// The prefix of the path that the backend does not get; empty, or it starts with `/`.
    pub(crate) prefix: &'a str,
    pub(crate) trust: Trust,
}

/// How far the headers of a sender about other clients are believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trust {
    /// The sender is a trusted proxy: what it says is passed on.
    Proxy,
    /// No proxy is trusted: chains are passed on, since their last element is the gateway's; nothing else is.
    Chains,
    /// Others are trusted, but not the sender: nothing is passed on.
    Nobody,
}

/// The maximum number of Via entries. A request with more is treated as a loop.
const MAX_HOPS: usize = 16;

/// Appends the sender to Forwarded (RFC 7239, section 4) and X-Forwarded-For.
///
/// An element of a client that does not end, such as `for="`, would swallow the appended one. Lines with such an element
/// are dropped, with all that precede them.
pub(super) fn append_sender(headers: &mut HeaderMap, sender: &Sender<'_>) {
    if sender.trust == Trust::Nobody {
        headers.remove(X_FORWARDED_FOR);
        headers.remove(FORWARDED);
    }
    append(headers, X_FORWARDED_FOR, is_list_of_addresses, sender.peer.address.as_ref());
    append(headers, FORWARDED, is_list_of_elements, sender.peer.element(sender.authority).as_ref());
}

/// Returns the entry of this hop in Via, for a message that came over `version`.
pub(super) fn via(version: Version) -> &'static str {
    match version {
        Version::HTTP_2 => "2 harmony",
        Version::HTTP_10 => "1.0 harmony",
        _ => "1.1 harmony",
    }
}

/// Appends this hop to Via (RFC 9110, section 7.6.3).
pub(super) fn append_via(headers: &mut HeaderMap, version: Version) {
    let via = HeaderValue::from_static(via(version));
    let mut lines = match headers.entry(VIA) {
        Entry::Vacant(entry) => {
            entry.insert(via);
            return;
        }
        Entry::Occupied(lines) => lines,
    };
    match lines.iter().all(|line| has_closed_comments(line.as_bytes())) {
        true => lines.append(via),
        false => append(headers, VIA, has_closed_comments, Some(&via)),
    }
}

/// Returns whether the request passed more than [`MAX_HOPS`] gateways.
pub(super) fn is_loop(headers: &HeaderMap) -> bool {
    headers.contains_key(VIA)
        && headers
            .get_all(VIA)
            .iter()
            .map(|value| value.as_bytes().split(|b| *b == b',').count())
            .sum::<usize>()
            > MAX_HOPS
}

/// Appends to a list header. Several lines of it become one, of the lines after the last one that is not well-formed.
fn append(
    headers: &mut HeaderMap,
    name: HeaderName,
    is_wellformed: fn(&[u8]) -> bool,
    element: Option<&HeaderValue>,
) {
    let mut lines = match headers.entry(name) {
        Entry::Vacant(entry) => {
            if let Some(element) = element {
                entry.insert(element.clone());
            }
            return;
        }
        Entry::Occupied(lines) => lines,
    };
    let mut whole: Vec<u8> = Vec::new();
    for line in lines.iter() {
        match is_wellformed(line.as_bytes()) {
            true => join(&mut whole, line.as_bytes()),
            false => whole.clear(),
        }
    }
    join(&mut whole, element.map(HeaderValue::as_bytes).unwrap_or_default());
    match HeaderValue::from_bytes(&whole) {
        Ok(value) if !whole.is_empty() => drop(lines.insert(value)),
        _ => drop(lines.remove()),
    }
}

fn join(whole: &mut Vec<u8>, element: &[u8]) {
    if !whole.is_empty() && !element.is_empty() {
        whole.extend_from_slice(b", ");
    }
    whole.extend_from_slice(element);
}

/// Returns whether a line of X-Forwarded-For has nothing in it that could hide what follows it.
fn is_list_of_addresses(line: &[u8]) -> bool {
    line.iter().all(|b| b.is_ascii_alphanumeric() || b" \t,.:;-_[]%/".contains(b))
}

/// Returns whether each comment of a line of Via ends in it.
fn has_closed_comments(line: &[u8]) -> bool {
    let (mut depth, mut escaped) = (0_usize, false);
    for byte in line {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if depth > 0 => escaped = true,
            b'(' => depth += 1,
            b')' if depth == 0 => return false,
            b')' => depth -= 1,
            b'"' if depth == 0 => return false,
            _ => {}
        }
    }
    depth == 0 && !escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::url_prefix::Scheme;

    fn appended(lines: &[(&'static str, &'static str)], name: &str) -> String {
        let lines = lines
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        let mut headers: HeaderMap = lines.collect();
        let peer = ForwardedPeer::new("::ffff:10.0.0.1".parse().unwrap(), Scheme::Http);
        let authority = HeaderValue::from_static("a:80");
        let sender = Sender { peer: &peer, authority: &authority, prefix: "", trust: Trust::Chains };
        append_sender(&mut headers, &sender);
        append_via(&mut headers, Version::HTTP_11);
        let all: Vec<&str> = headers.get_all(name).iter().map(|value| value.to_str().unwrap()).collect();
        all.join(" | ")
    }

    #[test]
    fn wellformed_chains_are_kept() {
        let own = "for=10.0.0.1;host=\"a:80\";proto=http";
        for line in [
            "for=203.0.113.7",
            "for=\"[2001:db8::1]:80\";by=_x",
            "for=203.0.113.7:80;proto=https, for=[::1]",
            "for=\"a\\\"b\" ; host=\"x,y\"",
        ] {
            let line: &'static str = line;
            assert_eq!(appended(&[("forwarded", line)], "forwarded"), format!("{line}, {own}"));
        }
        assert_eq!(appended(&[("via", "1.0 fred (a \"b)")], "via"), "1.0 fred (a \"b) | 1.1 harmony");
    }

    /// An element that does not end could swallow the elements of proxies behind it.
    #[test]
    fn open_elements_are_dropped() {
        let own = "for=10.0.0.1;host=\"a:80\";proto=http";
        for line in ["for=\"", "for=\"a", "for=\"a\\\"", "for=\"a\"b", "a\"", "for=a(", "for=1, for=\"x;by="]
        {
            let line: &'static str = line;
            assert_eq!(appended(&[("forwarded", line)], "forwarded"), own, "{line}");
            let lines = [("forwarded", "for=1"), ("forwarded", line), ("forwarded", "for=2")];
            assert_eq!(appended(&lines, "forwarded"), format!("for=2, {own}"), "{line}");
        }
        assert_eq!(appended(&[("x-forwarded-for", "\"1")], "x-forwarded-for"), "10.0.0.1");
        for line in ["1.1 x (", "1.1 \"x", "1.1 x (\\)", "1.1 x (()"] {
            let line: &'static str = line;
            assert_eq!(appended(&[("via", line)], "via"), "1.1 harmony", "{line}");
        }
    }

    #[test]
    fn too_many_hops_are_a_loop() {
        let list: HeaderValue = ["1.1 x"; 9].join(", ").parse().unwrap();
        let mut headers = HeaderMap::from_iter([(VIA, list.clone())]);
        assert!(!is_loop(&headers));
        headers.append(VIA, list);
        assert!(is_loop(&headers));
    }
}
