//! The sections `[network.*]`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::config::section::Section;
use crate::diagnostics::problem::Problems;
use crate::diagnostics::source::{Place, Spanned};

/// `[network.<name>]`: an address to listen on.
#[derive(Clone, Debug)]
pub(crate) struct Network {
    /// The name.
    pub(crate) name: String,
    /// The place of the definition.
    pub(crate) place: Place,
    /// The TCP listener. `None` if none is configured, or if this host must not open it.
    pub(crate) listen: Option<Listen>,
}

/// `[network.<name>.http]`, also written `tcp_config`.
#[derive(Clone, Debug)]
pub(crate) struct Listen {
    /// The address and port.
    pub(crate) address: Spanned<SocketAddr>,
    /// The certificate and key files, if the listener uses TLS.
    pub(crate) tls: Option<TlsFiles>,
    /// The name of the section, if its cleartext requests are redirected to https. A listener with TLS receives none.
    pub(crate) force_https: Option<Spanned<&'static str>>,
}

/// The PEM files of a TLS listener.
#[derive(Clone, Debug)]
pub(crate) struct TlsFiles {
    /// The name of the section: `http` or `tcp_config`.
    pub(crate) section: &'static str,
    /// The certificate chain, leaf first.
    pub(crate) cert: Spanned<String>,
    /// The private key.
    pub(crate) key: Spanned<String>,
}

impl Network {
    pub(crate) fn read(name: String, section: &Section<'_>, problems: &mut Problems) -> Self {
        let place = section.place().clone();
        let wireguard = section.flag("enable_wireguard", problems).filter(|on| on.value);
        let mut listen = Self::listen(section, problems);
        if section.has("http3") {
            problems.warn(
                Some(&place),
                section.key("http3"),
                "this host does not serve HTTP/3 and does not open the listener",
            );
        }
        if let Some(on) = wireguard {
            problems.warn(
                Some(&on.place),
                section.key("enable_wireguard"),
                "this host does not support WireGuard; it does not open the network, because without the tunnel everyone could reach it",
            );
            listen = None;
        } else if listen.is_none() && !section.has("http") && !section.has("tcp_config") {
            let message = "this network has no [http] listener, so its pipelines receive no requests";
            problems.warn(Some(&place), section.path(), message);
        }
        Self { name, place, listen }
    }

    fn listen(section: &Section<'_>, problems: &mut Problems) -> Option<Listen> {
        let http = section.section("http", problems);
        let tcp = section.section("tcp_config", problems);
        if let (Some(_), Some(tcp)) = (&http, &tcp) {
            problems
                .error(
                    Some(tcp.place()),
                    tcp.path(),
                    "`http` and `tcp_config` are two names for the same section",
                )
                .help("delete one of them");
        }
        let name = if http.is_some() { "http" } else { "tcp_config" };
        let section = http.or(tcp)?;
        let ip = section.text("bind_address", problems);
        let port = section.integer("bind_port", 1..=65535, problems);
        let cert = section.text("cert_path", problems);
        let key = section.text("key_path", problems);
        let force_https = section.flag("force_https", problems).filter(|on| on.value && cert.is_none());
        let force_https = force_https.map(|on| Spanned::new(name, on.place));
        let tls = match (cert, key) {
            (Some(cert), Some(key)) => Some(TlsFiles { section: name, cert, key }),
            (None, None) => None,
            (cert, key) => {
                let (set, missing) =
                    if cert.is_some() { ("cert_path", "key_path") } else { ("key_path", "cert_path") };
                let place = cert.or(key).map(|at| at.place);
                problems
                    .error(
                        place.as_ref(),
                        section.key(set),
                        format!("`{set}` is set, but `{missing}` is not"),
                    )
                    .help("TLS needs both; to listen without TLS, delete this key");
                None
            }
        };
        if !section.has("bind_port") {
            problems.error(Some(section.place()), section.path(), "the key `bind_port` is missing");
        }
        let ip = match ip {
            // A value of the wrong type must not fall back to the wildcard address.
            None if section.has("bind_address") => None,
            None => Some(IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
            Some(at) => parse_ip(&at, &section, problems),
        };
        let (ip, port) = (ip?, port?);
        let address = SocketAddr::new(ip, u16::try_from(port.value).ok()?);
        Some(Listen { address: Spanned::new(address, port.place), tls, force_https })
    }
}

fn parse_ip(at: &Spanned<String>, section: &Section<'_>, problems: &mut Problems) -> Option<IpAddr> {
    let text = at.value.trim().trim_start_matches('[').trim_end_matches(']');
    if text == "localhost" {
        return Some(IpAddr::V4(Ipv4Addr::LOCALHOST));
    }
    let ip = text.parse().ok();
    if ip.is_none() {
        let message = format!("expected an IP address, found \"{}\"", at.value.escape_debug());
        problems
            .error(Some(&at.place), section.key("bind_address"), message)
            .help("0.0.0.0 listens on every IPv4 interface, 127.0.0.1 on this machine only");
    }
    ip
}
