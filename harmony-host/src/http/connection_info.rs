//! The facts about a connection that its requests share.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use crate::http::tunnel::TunnelSlot;
use crate::http::url_prefix::Scheme;

/// The connection on which a request arrived.
#[derive(Debug)]
pub(crate) struct ConnectionInfo {
    /// The address of the listener.
    pub(crate) listener: SocketAddr,
    /// The network of the listener when the connection was accepted.
    pub(crate) network: Arc<str>,
    pub(crate) scheme: Scheme,
    pub(crate) peer: SocketAddr,
    pub(crate) forwarded: ForwardedPeer,
    /// The tunnel that follows a response 101.
    pub(crate) tunnel: TunnelSlot,
}

/// The address of a client as the forwarding headers write it, formatted once per connection.
#[derive(Clone, Debug)]
pub(crate) struct ForwardedPeer {
    /// The address in the form of X-Forwarded-For.
    pub(crate) address: String,
    /// The address as a node of Forwarded (RFC 7239, section 6).
    pub(crate) node: String,
}

impl ForwardedPeer {
    /// Formats `ip`; an IPv4 address that is mapped into IPv6 is written as IPv4.
    pub(crate) fn new(ip: IpAddr) -> Self {
        let ip = ip.to_canonical();
        let node = if ip.is_ipv6() { format!("\"[{ip}]\"") } else { ip.to_string() };
        Self { address: ip.to_string(), node }
    }
}
