//! The client that sends requests to backends.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Builder, Client};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::{ClientConfig, RootCertStore};

use crate::http::body::Upload;

type Pool = Client<HttpsConnector<HttpConnector>, Upload>;
type PlainPool = Client<HttpConnector, Upload>;

/// The connections to backends. They survive every reload.
#[derive(Debug)]
pub(crate) struct BackendClient {
    plain: PlainPool,
    /// Made when the first https backend is called: reading the machine's certificates takes a while.
    secure: OnceLock<Pool>,
}

/// How long a connection to a backend may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long an idle connection is kept: less than servers commonly do, so that they do not close first.
const IDLE_TIMEOUT: Duration = Duration::from_secs(45);

impl BackendClient {
    pub(crate) fn new() -> Self {
        Self { plain: pool().build(connector()), secure: OnceLock::new() }
    }

    /// Sends one request.
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

fn connector() -> HttpConnector {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
    connector
}

fn secure_pool() -> Pool {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    let (added, ignored) = roots.add_parsable_certificates(found.certs);
    tracing::debug!(added, ignored, "read the machine's trusted certificates");
    if added == 0 {
        tracing::warn!("this machine trusts no certificate authority: every https backend will be refused");
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(rustls::DEFAULT_VERSIONS)
        .map(|builder| builder.with_root_certificates(roots).with_no_client_auth());
    let config = match config {
        Ok(config) => config,
        // Only a provider without cipher suites for the default versions gets here; aws-lc has them.
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

fn pool() -> Builder {
    let mut builder = Client::builder(TokioExecutor::new());
    builder.pool_idle_timeout(IDLE_TIMEOUT).pool_timer(TokioTimer::new()).timer(TokioTimer::new());
    builder
}
