//! The facts about a connection that its requests share.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use http::HeaderValue;

use crate::http::authority::KnownHost;
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
    /// The host that its requests name.
    pub(crate) host: KnownHost,
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
    /// The headers for the host of the last request.
    last: Mutex<Option<Described>>,
}

/// A client and the host that it asked for.
#[derive(Clone, Debug)]
struct Described {
    host: HeaderValue,
    /// The element of Forwarded.
    element: Option<HeaderValue>,
    /// X-Forwarded-For, Forwarded, X-Forwarded-Host and X-Forwarded-Proto, as lines of a head of HTTP/1.
    lines: Vec<u8>,
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
        self.described(host, |described| described.element.clone())
    }

    /// Writes the headers about the client for a request to `host` that came with none of them.
    pub(crate) fn write_lines(&self, host: &HeaderValue, out: &mut Vec<u8>) {
        self.described(host, |described| out.extend_from_slice(&described.lines));
    }

    fn described<T>(&self, host: &HeaderValue, read: impl FnOnce(&Described) -> T) -> T {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *last {
            Some(described) if described.host == host => read(described),
            last => read(last.insert(self.describe(host))),
        }
    }

    fn describe(&self, host: &HeaderValue) -> Described {
        let (node, proto) = (&self.node, self.scheme.as_str());
        // The host is a quoted string: these characters could end it and forge another parameter.
        let text = host.to_str().ok().filter(|text| !text.contains(['"', '\\']));
        let element = text.map(|text| format!("for={node};host=\"{text}\";proto={proto}"));
        let element = element.and_then(|element| HeaderValue::from_str(&element).ok());
        let fields: [(&str, &[u8]); 4] = [
            ("x-forwarded-for", self.address.as_ref().map(HeaderValue::as_bytes).unwrap_or_default()),
            ("forwarded", element.as_ref().map(HeaderValue::as_bytes).unwrap_or_default()),
            ("x-forwarded-host", host.as_bytes()),
            ("x-forwarded-proto", proto.as_bytes()),
        ];
        let present = fields.into_iter().filter(|(_, value)| !value.is_empty());
        let lines =
            present.flat_map(|(name, value)| [name.as_bytes(), b": ", value, b"\r\n"].concat()).collect();
        // A copy: the value is a part of the buffer of the request.
        let host = HeaderValue::from_bytes(host.as_bytes()).unwrap_or_else(|_| host.clone());
        Described { host, element, lines }
    }
}
