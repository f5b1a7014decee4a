//! The certificate authorities that are trusted for backends.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use http::uri::Scheme;
use rustls::{ClientConfig, RootCertStore};

use crate::plan::Authorities;
use crate::proxy::pool::server::Server;
use crate::storage::digest::Digest;

/// The TLS settings of connections to backends. Each is made at its first connection, because reading the system's
/// certificates is slow.
#[derive(Debug, Default)]
pub(super) struct Trust {
    system: OnceLock<RootCertStore>,
    /// The settings that trust the system only: for all versions, and for HTTP/1.1.
    plain: [OnceLock<Arc<ClientConfig>>; 2],
    /// The settings with authorities of a backend, by the digest of these, and the configuration that used them last.
    own: Mutex<HashMap<(Digest, bool), Own>>,
}

type Own = (Weak<Authorities>, Arc<ClientConfig>);

impl Trust {
    /// Returns the settings for connections to a server; `None` without TLS.
    pub(super) fn config(&self, server: &Server<'_>) -> Option<Arc<ClientConfig>> {
        if server.base.scheme != Scheme::HTTPS {
            return None;
        }
        Some(match server.authorities {
            Some(authorities) => self.own(authorities, server.is_upgrade),
            None => {
                let config = &self.plain[usize::from(server.is_upgrade)];
                Arc::clone(config.get_or_init(|| tls(self.system().clone(), server.is_upgrade)))
            }
        })
    }

    fn system(&self) -> &RootCertStore {
        self.system.get_or_init(system_authorities)
    }

    /// Returns the settings for a backend with authorities of its own. Those that no configuration has any more are dropped
    /// when new ones are made.
    fn own(&self, authorities: &Arc<Authorities>, is_upgrade: bool) -> Arc<ClientConfig> {
        let mut own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((owner, config)) = own.get_mut(&(authorities.digest, is_upgrade)) {
            *owner = Arc::downgrade(authorities);
            return Arc::clone(config);
        }
        own.retain(|_, (owner, _)| owner.strong_count() > 0);
        let mut roots = self.system().clone();
        // Each was accepted when the configuration was built.
        roots.add_parsable_certificates(authorities.certificates.iter().cloned());
        let config = tls(roots, is_upgrade);
        own.insert((authorities.digest, is_upgrade), (Arc::downgrade(authorities), Arc::clone(&config)));
        config
    }
}

/// Reads the certificate authorities of the system.
fn system_authorities() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    let native = rustls_native_certs::load_native_certs();
    let (added, ignored) = roots.add_parsable_certificates(native.certs);
    tracing::debug!(added, ignored, "read the system's trusted certificates");
    if added == 0 {
        tracing::warn!(
            "the system trusts no certificate authority; requests to https backends without ca_cert_path will fail"
        );
    }
    roots
}

/// Creates the TLS settings of a client that trusts these certificate authorities.
fn tls(roots: RootCertStore, is_upgrade: bool) -> Arc<ClientConfig> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(rustls::DEFAULT_VERSIONS)
        .map(|builder| builder.with_root_certificates(roots).with_no_client_auth());
    let mut config = match config {
        Ok(config) => config,
        // Unreachable with aws-lc: only a crypto provider without cipher suites for the default versions fails here.
        Err(error) => {
            tracing::error!(%error, "TLS cannot be set up");
            ClientConfig::builder().with_root_certificates(RootCertStore::empty()).with_no_client_auth()
        }
    };
    config.alpn_protocols = match is_upgrade {
        true => vec![b"http/1.1".to_vec()],
        false => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
    };
    Arc::new(config)
}
