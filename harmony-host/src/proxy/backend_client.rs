//! The HTTP client for backends, with its connection pools.

use std::collections::HashMap;
use std::error::Error as _;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::Duration;

use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::{Builder, Client};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::{ClientConfig, RootCertStore};

use crate::diagnostics::throttle::Throttle;
use crate::http::limits::{MAX_HEADER_LIST_BYTES, MAX_HEADERS};
use crate::http::upload::Upload;
use crate::plan::Authorities;
use crate::proxy::answer_head::InvalidFraming;
use crate::proxy::connector::{Connector, MakeWay};
use crate::proxy::watching::Watching;
use crate::storage::digest::Digest;

/// A pool of connections with TLS.
type SecurePool = Client<Watching<HttpsConnector<Connector>>, Upload>;
/// A pool of connections without TLS.
type PlainPool = Client<Watching<Connector>, Upload>;

/// The client for backends. Its pooled connections survive a reload.
#[derive(Debug)]
pub(crate) struct BackendClient {
    connector: Connector,
    /// The maximum number of idle connections to one backend.
    max_idle: usize,
    overloads: Throttle,
    plain: PlainPool,
    /// The pools for https, without and with HTTP/2. Each is built at its first request, because reading the system's
    /// certificates is slow.
    secure: [OnceLock<SecurePool>; 2],
    /// The certificate authorities of the system.
    system: OnceLock<RootCertStore>,
    /// The pools for backends with authorities of their own, by the digest of these. No backend uses the connections of
    /// another one's trust.
    own: Mutex<HashMap<(Digest, bool), OwnPool>>,
}

/// A pool, and the authorities of the configuration that used it last.
type OwnPool = (Weak<Authorities>, SecurePool);

/// The lifetime of an idle connection. It is shorter than that of common servers: when a server closes the connection
/// first, a request that was just sent on it fails.
const IDLE_TIMEOUT: Duration = Duration::from_secs(45);

/// The part of the connections that one backend may keep idle, as a divisor: the others need some too.
const IDLE_PART: usize = 8;

impl BackendClient {
    /// Creates a client that opens at most `connections` connections at a time, and calls `make_way` while it needs more.
    pub(crate) fn new(connections: usize, make_way: MakeWay) -> Self {
        let (connector, max_idle) = (Connector::new(connections, make_way), connections / IDLE_PART);
        Self {
            plain: pool(max_idle).build(Watching(connector.clone())),
            connector,
            max_idle,
            overloads: Throttle::default(),
            secure: [OnceLock::new(), OnceLock::new()],
            system: OnceLock::new(),
            own: Mutex::default(),
        }
    }

    /// Sends one request; `authorities` are trusted besides those of the system. An upgrade is possible only over HTTP/1.1.
    ///
    /// # Errors
    /// The error of the connection.
    pub(crate) async fn send(
        &self,
        request: http::Request<Upload>,
        authorities: Option<&Arc<Authorities>>,
        is_upgrade: bool,
    ) -> Result<http::Response<hyper::body::Incoming>, hyper_util::client::legacy::Error> {
        if request.uri().scheme() == Some(&http::uri::Scheme::HTTPS) {
            match authorities {
                Some(authorities) => self.own_pool(authorities, !is_upgrade).request(request).await,
                None => {
                    let [http1, http2] = &self.secure;
                    let pool = if is_upgrade { http1 } else { http2 };
                    let new = || self.secure_pool(self.system().clone(), !is_upgrade);
                    pool.get_or_init(new).request(request).await
                }
            }
        } else {
            self.plain.request(request).await
        }
    }

    /// Creates a pool for https that trusts these certificate authorities.
    fn secure_pool(&self, roots: RootCertStore, http2: bool) -> SecurePool {
        let builder = HttpsConnectorBuilder::new().with_tls_config(tls(roots)).https_only();
        let connector = self.connector.clone();
        let connector = match http2 {
            true => builder.enable_all_versions().wrap_connector(connector),
            false => builder.enable_http1().wrap_connector(connector),
        };
        pool(self.max_idle).build(Watching(connector))
    }

    /// Logs, at most once a second, that a request found no place for a connection to its backend.
    pub(crate) fn log_no_place(&self) {
        if let Some(unlogged) = self.overloads.is_due() {
            tracing::warn!(unlogged, "all connections to backends are in use; a request was answered 503");
        }
    }

    fn system(&self) -> &RootCertStore {
        self.system.get_or_init(system_authorities)
    }

    /// Returns the pool of a backend with authorities of its own. The pools of those that no configuration has any more
    /// are dropped when a new one is built.
    fn own_pool(&self, authorities: &Arc<Authorities>, http2: bool) -> SecurePool {
        let mut own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((owner, pool)) = own.get_mut(&(authorities.digest, http2)) {
            *owner = Arc::downgrade(authorities);
            return pool.clone();
        }
        own.retain(|_, (owner, _)| owner.strong_count() > 0);
        let mut roots = self.system().clone();
        // Each was accepted when the configuration was built.
        roots.add_parsable_certificates(authorities.certificates.iter().cloned());
        let pool = self.secure_pool(roots, http2);
        own.insert((authorities.digest, http2), (Arc::downgrade(authorities), pool.clone()));
        pool
    }
}

/// Describes the failure of a backend for the client.
pub(crate) fn failure(error: &hyper_util::client::legacy::Error) -> &'static str {
    let hyper = error.source().and_then(|source| source.downcast_ref::<hyper::Error>());
    match hyper {
        _ if error.is_connect() => "cannot be reached",
        _ if InvalidFraming::caused(error) => "sent an invalid line about the length of its response",
        Some(hyper) if hyper.is_parse_too_large() => {
            "sent a head that is too large or has more than 500 headers"
        }
        Some(hyper) if hyper.is_parse() => "sent a response that is no valid HTTP",
        _ => "closed the connection early",
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
fn tls(roots: RootCertStore) -> ClientConfig {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(rustls::DEFAULT_VERSIONS)
        .map(|builder| builder.with_root_certificates(roots).with_no_client_auth());
    match config {
        Ok(config) => config,
        // Unreachable with aws-lc: only a crypto provider without cipher suites for the default versions fails here.
        Err(error) => {
            tracing::error!(%error, "TLS cannot be set up");
            ClientConfig::builder().with_root_certificates(RootCertStore::empty()).with_no_client_auth()
        }
    }
}

/// Creates a pool builder with the limits of idle connections. What a proxy may repair in a response is repaired (RFC 9112,
/// section 5); [`Watching`] ends the connection where a line about the framing would be left out.
fn pool(max_idle: usize) -> Builder {
    let mut builder = Client::builder(TokioExecutor::new());
    builder
        .pool_idle_timeout(IDLE_TIMEOUT)
        .pool_max_idle_per_host(max_idle)
        .pool_timer(TokioTimer::new())
        .timer(TokioTimer::new());
    builder
        .http1_max_headers(MAX_HEADERS)
        .http1_allow_obsolete_multiline_headers_in_responses(true)
        .http1_allow_spaces_after_header_name_in_responses(true)
        .http1_ignore_invalid_headers_in_responses(true)
        .http2_max_header_list_size(MAX_HEADER_LIST_BYTES);
    builder
}
