//! The HTTP client for backends, with its connection pools.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Builder, Client};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::{ClientConfig, RootCertStore};

use crate::http::body::Upload;

/// A pool of connections with TLS.
type SecurePool = Client<HttpsConnector<HttpConnector>, Upload>;
/// A pool of connections without TLS.
type PlainPool = Client<HttpConnector, Upload>;

/// The client for backends. Its pooled connections survive a reload.
#[derive(Debug)]
pub(crate) struct BackendClient {
    plain: PlainPool,
    /// The pool for https, built at the first https request, because reading the system's certificates is slow.
    secure: OnceLock<SecurePool>,
}

/// The deadline for connecting to a backend.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The lifetime of an idle connection. It is shorter than that of common servers: when a server closes the connection
/// first, a request that was just sent on it fails.
const IDLE_TIMEOUT: Duration = Duration::from_secs(45);

impl BackendClient {
    /// Creates a client without connections.
    pub(crate) fn new() -> Self {
        Self { plain: pool().build(connector()), secure: OnceLock::new() }
    }

    /// Sends one request.
    ///
    /// # Errors
    /// The error of the connection.
    pub(crate) async fn send(
        &self,
        request: http::Request<Upload>,
    ) -> Result<http::Response<hyper::body::Incoming>, hyper_util::client::legacy::Error> {
        if request.uri().scheme() == Some(&http::uri::Scheme::HTTPS) {
            let pool = self.secure.get_or_init(secure_pool);
            pool.request(request).await
        } else {
            self.plain.request(request).await
        }
    }
}

/// Creates the TCP connector.
fn connector() -> HttpConnector {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
    connector
}

/// Creates the pool for https. It trusts the certificate authorities of the system.
fn secure_pool() -> SecurePool {
    let mut roots = RootCertStore::empty();
    let native = rustls_native_certs::load_native_certs();
    let (added, ignored) = roots.add_parsable_certificates(native.certs);
    tracing::debug!(added, ignored, "read the system's trusted certificates");
    if added == 0 {
        tracing::warn!(
            "the system trusts no certificate authority; every request to an https backend will fail"
        );
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(rustls::DEFAULT_VERSIONS)
        .map(|builder| builder.with_root_certificates(roots).with_no_client_auth());
    let config = match config {
        Ok(config) => config,
        // Unreachable with aws-lc: only a crypto provider without cipher suites for the default versions fails here.
        Err(error) => {
            tracing::error!(%error, "TLS cannot be set up");
            ClientConfig::builder().with_root_certificates(RootCertStore::empty()).with_no_client_auth()
        }
    };
    let mut plain = connector();
    plain.enforce_http(false);
    let connector = HttpsConnectorBuilder::new()
        .with_tls_config(config)
        .https_only()
        .enable_all_versions()
        .wrap_connector(plain);
    pool().build(connector)
}

/// Creates a pool builder with the idle timeout.
fn pool() -> Builder {
    let mut builder = Client::builder(TokioExecutor::new());
    builder.pool_idle_timeout(IDLE_TIMEOUT).pool_timer(TokioTimer::new()).timer(TokioTimer::new());
    builder
}
