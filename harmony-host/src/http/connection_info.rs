//! The facts about a connection that its requests share.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use http::HeaderValue;

use crate::http::timer::TimerSlot;
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
    /// The timer of its requests.
    pub(crate) timer: TimerSlot,
}

/// A client as the forwarding headers describe it. What is the same for its requests is formatted once.
#[derive(Debug)]
pub(crate) struct ForwardedPeer {
    /// The address in the form of X-Forwarded-For. Every address is a valid value.
    pub(crate) address: Option<HeaderValue>,
    /// The address as a node of Forwarded (RFC 7239, section 6).
    node: String,
    pub(crate) scheme: Scheme,
    /// The element of Forwarded for the last request, with its host.
    last: Mutex<Option<(HeaderValue, Option<HeaderValue>)>>,
}

impl ForwardedPeer {
    /// Formats `ip`; an IPv4 address that is mapped into IPv6 is written as IPv4.
    pub(crate) fn new(ip: IpAddr, scheme: Scheme) -> Self {
        let ip = ip.to_canonical();
        let node = if ip.is_ipv6() { format!("\"[{ip}]\"") } else { ip.to_string() };
        Self { address: HeaderValue::from_str(&ip.to_string()).ok(), node, scheme, last: Mutex::default() }
    }

    /// Returns the element of Forwarded for a request to `host`; `None` if that cannot be written there.
    pub(crate) fn element(&self, host: &HeaderValue) -> Option<HeaderValue> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, element)) = &*last
            && known == host
        {
            return element.clone();
        }
        let (node, proto) = (&self.node, self.scheme.as_str());
        // The host is a quoted string: these characters could end it and forge another parameter.
        let text = host.to_str().ok().filter(|text| !text.contains(['"', '\\']));
        let element = text.map(|text| format!("for={node};host=\"{text}\";proto={proto}"));
        let element = element.and_then(|element| HeaderValue::from_str(&element).ok());
        // A copy: the value is a part of the buffer of the request.
        *last = HeaderValue::from_bytes(host.as_bytes()).ok().map(|host| (host, element.clone()));
        element
    }
}
