//! The list `proxy.trusted_proxies`: the proxies in front of the gateway whose headers it believes.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::config::section::Section;
use crate::diagnostics::problem::Problems;

/// The name of the key.
const KEY: &str = "trusted_proxies";

/// The addresses and networks of trusted proxies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TrustedProxies(Vec<IpNet>);

impl TrustedProxies {
    /// Reads the list. An entry is an address, or a network such as `10.0.0.0/8`.
    pub(super) fn read(proxy: &Section<'_>, problems: &mut Problems) -> Self {
        let mut networks = Vec::new();
        for entry in proxy.texts(KEY, problems) {
            match parse(entry.value.trim()) {
                Ok(network) => networks.push(network),
                Err(message) => {
                    problems
                        .error(Some(&entry.place), proxy.key(KEY), message)
                        .help("an entry is an address such as 192.0.2.7, or a network such as 10.0.0.0/8");
                }
            }
        }
        Self(networks)
    }

    /// Returns whether no proxy is trusted.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns whether the peer is a trusted proxy. An IPv4 address that is mapped into IPv6 counts as IPv4.
    pub(crate) fn contains(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        self.0.iter().any(|network| network.contains(&peer))
    }
}

/// Parses an entry.
///
/// # Errors
/// The message for its author.
fn parse(text: &str) -> Result<IpNet, String> {
    let shown = text.escape_debug();
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(IpNet::from(address.to_canonical()));
    }
    let network: IpNet =
        text.parse().map_err(|_| format!("expected an IP address or a network, found \"{shown}\""))?;
    if network.trunc() != network {
        // The author meant the address or the network; the wrong one could trust strangers.
        return Err(format!("\"{shown}\" is neither an address nor the network {}", network.trunc()));
    }
    match network {
        IpNet::V6(v6) if v6.network().to_ipv4_mapped().is_some() => {
            Err(format!("\"{shown}\" is a network of IPv4 addresses; write it as one, such as 10.0.0.0/8"))
        }
        network => Ok(network),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_addresses_and_networks() {
        for (entry, inside, outside) in [
            ("192.0.2.7", "192.0.2.7", "192.0.2.8"),
            ("10.0.0.0/8", "::ffff:10.1.2.3", "11.0.0.0"),
            ("2001:db8::/32", "2001:db8::1", "2001:db9::1"),
            ("::1", "::1", "127.0.0.1"),
            ("::ffff:192.0.2.7", "192.0.2.7", "::1"),
            ("0.0.0.0/0", "1.2.3.4", "::1"),
        ] {
            let trusted = TrustedProxies(vec![parse(entry).unwrap()]);
            assert!(trusted.contains(inside.parse().unwrap()), "{entry}");
            assert!(!trusted.contains(outside.parse().unwrap()), "{entry}");
        }
        for wrong in [
            "",
            "localhost",
            "10.0.0.0/33",
            "10.0.0.1/8",
            "10.0.0/8",
            "a/8",
            "::ffff:10.0.0.0/104",
            "*",
            "10.0.0.0-10.0.0.9",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
