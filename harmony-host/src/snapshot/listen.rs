//! Listener specifications: the listeners that a configuration describes.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;

use crate::config::{Config, Listen};
use crate::diagnostics::problem::Problems;
use crate::documents::Documents;
use crate::snapshot::tls::{WrongFile, server_config};
use crate::storage::digest::Digest;

/// The specification of a listener.
#[derive(Clone, Debug)]
pub(crate) struct ListenerSpec {
    pub(crate) network: Arc<str>,
    /// Set when the management API is served here.
    pub(crate) management: bool,
    /// The time for the head of a request, and after which an idle connection is closed.
    pub(crate) client_idle_timeout: Duration,
    pub(crate) tls: Option<TlsSpec>,
}

/// A TLS configuration and the digest of its certificate and key.
#[derive(Clone)]
pub(crate) struct TlsSpec {
    pub(crate) config: Arc<ServerConfig>,
    pub(crate) digest: Digest,
}

impl std::fmt::Debug for TlsSpec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TlsSpec").field("digest", &self.digest).finish_non_exhaustive()
    }
}

/// Returns the listeners of the networks. Those with the same certificate and key as in `before` share its TLS
/// configuration, so that clients resume their TLS sessions after a reload.
pub(super) fn listeners(
    config: &Config,
    documents: &Documents,
    before: Option<&BTreeMap<SocketAddr, ListenerSpec>>,
    problems: &mut Problems,
) -> BTreeMap<SocketAddr, ListenerSpec> {
    let mut listeners = BTreeMap::new();
    for network in &config.networks {
        let Some(listen) = &network.listen else { continue };
        let address = listen.address.value;
        let old = before.and_then(|before| before.get(&address)).and_then(|spec| spec.tls.as_ref());
        if let Some(tls) = tls(listen, documents, old, &network.name, problems) {
            let management = config.management.as_ref().is_some_and(|m| m.network.value == network.name);
            let client_idle_timeout = config.proxy.client_idle_timeout;
            let network = Arc::from(network.name.as_str());
            listeners.insert(address, ListenerSpec { network, management, client_idle_timeout, tls });
        }
    }
    listeners
}

/// Returns the TLS configuration of a listener; `None` after an error in the files, `Some(None)` for cleartext.
#[expect(clippy::option_option, reason = "invalid and absent are different results")]
fn tls(
    listen: &Listen,
    documents: &Documents,
    old: Option<&TlsSpec>,
    network: &str,
    problems: &mut Problems,
) -> Option<Option<TlsSpec>> {
    let Some(files) = &listen.tls else { return Some(None) };
    // A file that cannot be read was reported when the documents were loaded.
    let (cert, key) = (documents.pem(&files.cert.value)?, documents.pem(&files.key.value)?);
    let parts =
        [("cert", Digest::of(cert.expose().as_bytes())), ("key", Digest::of(key.expose().as_bytes()))];
    let digest = Digest::of_tree(parts);
    if let Some(same) = old.filter(|old| old.digest == digest) {
        return Some(Some(same.clone()));
    }
    match server_config(cert, key) {
        Ok(config) => Some(Some(TlsSpec { config, digest })),
        Err((file, message)) => {
            let (at, key) = match file {
                WrongFile::Cert => (&files.cert, "cert_path"),
                WrongFile::Key => (&files.key, "key_path"),
            };
            problems.error(Some(&at.place), format!("network.{network}.http.{key}"), message);
            None
        }
    }
}
