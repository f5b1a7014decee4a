use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::config::section::Section;
use crate::diagnostics::problem::Problems;
use crate::diagnostics::source::{Place, Spanned};

/// `[network.<name>]`: an address to listen on.
#[derive(Clone, Debug)]
pub(crate) struct Network {
    /// Its name.
    pub(crate) name: String,
    /// Where it was written.
    pub(crate) place: Place,
    /// The TCP listener. `None` when there is none, or when this host must not open it.
    pub(crate) listen: Option<Listen>,
}

/// `[network.<name>.http]`, also written `tcp_config`.
#[derive(Clone, Debug)]
pub(crate) struct Listen {
    /// Address and port.
    pub(crate) address: Spanned<SocketAddr>,
    /// The files of the certificate chain and its key, both PEM, when the listener speaks TLS.
    pub(crate) tls: Option<TlsFiles>,
}

/// The files a TLS listener needs.
#[derive(Clone, Debug)]
pub(crate) struct TlsFiles {
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
                "HTTP/3 is not served by this host; the listener is not opened",
            );
        }
        if let Some(on) = wireguard {
            problems.warn(
                Some(&on.place),
                section.key("enable_wireguard"),
                "WireGuard is not served by this host; the network is not opened, since without it everybody could reach it",
            );
            listen = None;
        } else if listen.is_none() && !section.has("http") && !section.has("tcp_config") {
            let message = "this network has no [http] listener, so nothing reaches what is bound to it";
            problems.warn(Some(&place), section.path(), message);
        }
        section.finish(problems);
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
                    "`http` and `tcp_config` are two names of the same section",
                )
                .help("delete one of them");
        }
        let section = http.or(tcp)?;
        let ip = section.text("bind_address", problems);
        let port = section.integer("bind_port", 1..=65535, problems);
        let cert = section.text("cert_path", problems);
        let key = section.text("key_path", problems);
        let tls = match (cert, key) {
            (Some(cert), Some(key)) => Some(TlsFiles { cert, key }),
            (None, None) => None,
            (cert, key) => {
                let (has, lacks) =
                    if cert.is_some() { ("cert_path", "key_path") } else { ("key_path", "cert_path") };
                let place = cert.or(key).map(|at| at.place);
                problems
                    .error(place.as_ref(), section.key(has), format!("`{has}` is set and `{lacks}` is not"))
                    .help("TLS needs both; without both delete the one");
                None
            }
        };
        if !section.has("bind_port") {
            problems.error(Some(section.place()), section.path(), "the key `bind_port` is missing");
        }
        let ip = match ip {
            None if section.has("bind_address") => None,
            None => Some(IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
            Some(at) => parse_ip(&at, &section, problems),
        };
        section.finish(problems);
        let (ip, port) = (ip?, port?);
        let address = SocketAddr::new(ip, u16::try_from(port.value).ok()?);
        Some(Listen { address: Spanned::new(address, port.place), tls })
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
            .help("0.0.0.0 is every IPv4 interface, 127.0.0.1 this machine only");
    }
    ip
}
