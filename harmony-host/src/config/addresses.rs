use std::net::{IpAddr, SocketAddr};

use crate::config::Network;
use crate::diagnostics::problem::Problems;

/// Adds an error for every two networks that want the same port of the same address.
pub(crate) fn check(networks: &[Network], problems: &mut Problems) {
    let mut listening: Vec<(&Network, SocketAddr)> = Vec::new();
    for network in networks {
        let Some(listen) = &network.listen else { continue };
        let address = listen.address.value;
        if let Some((other, theirs)) = listening.iter().find(|(_, theirs)| overlap(*theirs, address)) {
            let message = format!("network `{}` listens on {theirs} already ({})", other.name, other.place);
            problems
                .error(Some(&listen.address.place), format!("network.{}", network.name), message)
                .help("give one of the two another port");
        }
        listening.push((network, address));
    }
}

/// Whether the operating system would refuse to listen on both.
pub(crate) fn overlap(a: SocketAddr, b: SocketAddr) -> bool {
    let wildcard = |ip: IpAddr| ip.is_unspecified();
    // [::] takes IPv4 connections as well.
    let covers = |a: IpAddr, b: IpAddr| wildcard(a) && (a.is_ipv6() || b.is_ipv4());
    a.port() == b.port() && (a.ip() == b.ip() || covers(a.ip(), b.ip()) || covers(b.ip(), a.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_overlaps_with_every_address_of_its_family() {
        let at = |text: &str| text.parse::<SocketAddr>().unwrap();
        assert!(overlap(at("0.0.0.0:80"), at("127.0.0.1:80")));
        assert!(overlap(at("[::]:80"), at("127.0.0.1:80")));
        assert!(!overlap(at("0.0.0.0:80"), at("[::1]:80")));
        assert!(!overlap(at("127.0.0.1:80"), at("127.0.0.2:80")));
        assert!(!overlap(at("127.0.0.1:80"), at("127.0.0.1:81")));
    }
}
