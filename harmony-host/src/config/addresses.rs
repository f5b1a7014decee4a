//! The check for networks that listen on the same address.

use std::net::{IpAddr, SocketAddr};

use crate::config::Network;
use crate::diagnostics::problem::Problems;

/// Adds an error for every two networks with overlapping addresses.
pub(crate) fn check(networks: &[Network], problems: &mut Problems) {
    let mut listening: Vec<(&Network, SocketAddr)> = Vec::new();
    for network in networks {
        let Some(listen) = &network.listen else { continue };
        let address = listen.address.value;
        if let Some((other, theirs)) = listening.iter().find(|(_, theirs)| overlap(*theirs, address)) {
            let message = format!("network `{}` already listens on {theirs} ({})", other.name, other.place);
            problems
                .error(Some(&listen.address.place), format!("network.{}", network.name), message)
                .help("change the port of one of the two");
        }
        listening.push((network, address));
    }
}

/// Returns whether the operating system would refuse to listen on both addresses.
pub(crate) fn overlap(a: SocketAddr, b: SocketAddr) -> bool {
    let wildcard = |ip: IpAddr| ip.is_unspecified();
    // A listener on [::] is dual-stack: it accepts IPv4 connections as well.
    let covers = |a: IpAddr, b: IpAddr| wildcard(a) && (a.is_ipv6() || b.is_ipv4());
    a.port() == b.port() && (a.ip() == b.ip() || covers(a.ip(), b.ip()) || covers(b.ip(), a.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_overlap_within_their_family() {
        let at = |text: &str| text.parse::<SocketAddr>().unwrap();
        assert!(overlap(at("0.0.0.0:80"), at("127.0.0.1:80")));
        assert!(overlap(at("[::]:80"), at("127.0.0.1:80")));
        assert!(!overlap(at("0.0.0.0:80"), at("[::1]:80")));
        assert!(!overlap(at("127.0.0.1:80"), at("127.0.0.2:80")));
        assert!(!overlap(at("127.0.0.1:80"), at("127.0.0.1:81")));
    }
}
