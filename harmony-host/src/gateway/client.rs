//! The client of a request, by what trusted proxies say.

use std::net::IpAddr;

use http::{HeaderMap, HeaderName};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Returns the last address of X-Forwarded-For that is no trusted proxy, if the peer is one: what stands before it, anybody can
/// have written. `None` if the peer is the client.
pub(super) fn client(
    peer: IpAddr,
    headers: &HeaderMap,
    is_trusted: impl Fn(IpAddr) -> bool,
) -> Option<IpAddr> {
    if !is_trusted(peer) {
        return None;
    }
    let lines: Vec<&str> =
        headers.get_all(X_FORWARDED_FOR).iter().map_while(|line| line.to_str().ok()).collect();
    let addresses = lines.iter().rev().flat_map(|line| line.rsplit(','));
    let mut last = None;
    for address in addresses {
        let Ok(address) = address.trim().parse::<IpAddr>() else { break };
        last = Some(address.to_canonical());
        if !is_trusted(address) {
            break;
        }
    }
    last
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proxies_are_passed_over_from_the_end() {
        let of = |peer: &str, lines: &[&str]| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(X_FORWARDED_FOR, line.parse().unwrap());
            }
            let is_trusted = |address: IpAddr| address.to_string().starts_with("10.");
            client(peer.parse().unwrap(), &headers, is_trusted).map(|address| address.to_string())
        };
        assert_eq!(of("10.0.0.1", &["6.6.6.6, 203.0.113.7, 10.0.0.2"]).as_deref(), Some("203.0.113.7"));
        assert_eq!(of("10.0.0.1", &["6.6.6.6", "203.0.113.7"]).as_deref(), Some("203.0.113.7"));
        assert_eq!(of("10.0.0.1", &["203.0.113.7, no address, 10.0.0.2"]).as_deref(), Some("10.0.0.2"));
        assert_eq!(of("10.0.0.1", &["10.0.0.3"]).as_deref(), Some("10.0.0.3"));
        assert_eq!(of("10.0.0.1", &[]), None);
        assert_eq!(of("203.0.113.9", &["6.6.6.6"]), None, "the peer is no proxy");
    }
}
