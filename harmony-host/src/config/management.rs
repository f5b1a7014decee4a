//! The section `[management]`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use provider_api::Secret;

use crate::config::network::{Listen, Network};
use crate::config::section::Section;
use crate::diagnostics::problem::Problems;
use crate::diagnostics::source::Spanned;

/// `[management]`: the API for operators and the CLI.
#[derive(Clone, Debug)]
pub(crate) struct Management {
    /// The prefix of the paths, without slashes at its ends; `admin` unless configured.
    pub(crate) base_path: String,
    /// The only network on which the API is served.
    pub(crate) network: Spanned<String>,
    /// The bearer token of peers other than loopback. If none is configured, those peers are rejected.
    pub(crate) token: Option<Secret>,
}

/// The minimum length of the token in bytes: 128 bits in hexadecimal.
const MIN_TOKEN_BYTES: usize = 32;

/// The name of the network that the API is served on when `network` is not written. It is not a name that a
/// configuration can define, so neither a pipeline nor a change can claim it.
pub(crate) const DEFAULT_NETWORK: &str = "management (default)";

/// The address of that network, as Harmony has it.
const DEFAULT_ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9090);

impl Management {
    /// Returns the network that the API is served on when the section names none.
    pub(crate) fn default_network(&self) -> Option<Network> {
        let place = &self.network.place;
        let listen =
            Listen { address: Spanned::new(DEFAULT_ADDRESS, place.clone()), tls: None, force_https: None };
        (self.network.value == DEFAULT_NETWORK).then(|| Network {
            name: DEFAULT_NETWORK.to_owned(),
            place: place.clone(),
            listen: Some(listen),
        })
    }

    /// Reads the section; `None` if it is absent or not enabled.
    pub(crate) fn read(root: &Section<'_>, problems: &mut Problems) -> Option<Self> {
        let section = root.section("management", problems)?;
        let enabled = section.flag("enabled", problems).is_some_and(|flag| flag.value);
        let base_path = section.text("base_path", problems);
        let network = match section.text("network", problems) {
            // A name of the wrong type must not fall back to the default network.
            None if section.has("network") => None,
            None => Some(Spanned::new(DEFAULT_NETWORK.to_owned(), section.place().clone())),
            named => named,
        };
        let token = section.secret("token", problems);
        if let Some(token) = &token
            && token.value.len() < MIN_TOKEN_BYTES
        {
            problems
                .error(
                    Some(&token.place),
                    section.key("token"),
                    format!("expected at least {MIN_TOKEN_BYTES} characters"),
                )
                .help("generate one with `openssl rand -hex 32`");
        }
        let base = match &base_path {
            Some(at) if !at.value.trim_matches('/').split('/').all(crate::config::name::is_name) => {
                problems.error(
                    Some(&at.place),
                    section.key("base_path"),
                    "expected path segments of a-z, 0-9, _ and -, such as \"admin\"",
                );
                None
            }
            Some(at) => Some(at.value.trim_matches('/').to_owned()),
            None => Some("admin".to_owned()),
        };
        if !enabled {
            return None;
        }
        Some(Self { base_path: base?, network: network?, token: token.map(|t| t.value) })
    }
}
