//! Opening connections to backends: TCP, TLS, and the version of HTTP.

use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use http::uri::Scheme;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::proxy::connector::{BackendStream, Connector, MakeWay};
use crate::proxy::pool::failure::Failure;
use crate::proxy::pool::first_settings::FirstSettings;
use crate::proxy::pool::http1::Http1;
use crate::proxy::pool::http2::Http2;
use crate::proxy::pool::server::{Key, Server};
use crate::proxy::pool::transport::Transport;
use crate::proxy::pool::trust::Trust;

/// The deadline for a TLS handshake, and for the settings of a server of HTTP/2 after it.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

const NO_SETTINGS: &str =
    "the server has negotiated HTTP/2, and does not begin with its settings (RFC 9113, section 3.4)";

/// Opens connections.
#[derive(Debug)]
pub(super) struct Dialer {
    connector: Connector,
    pub(super) trust: Trust,
}

/// A new connection.
pub(super) enum Dialed {
    Http1(Http1),
    Http2(Http2),
}

impl Dialer {
    pub(super) fn new(connections: usize, make_way: MakeWay) -> Self {
        Self { connector: Connector::new(connections, make_way), trust: Trust::default() }
    }

    /// Opens a connection.
    ///
    /// # Errors
    /// There is no place for it, or the server cannot be reached.
    pub(super) async fn dial(&self, key: &Key, server: &Server<'_>) -> Result<Dialed, Failure> {
        self.dial_with(key, self.trust.config(server)).await
    }

    /// Opens a connection with the TLS settings of its server.
    ///
    /// # Errors
    /// There is no place for it, or the server cannot be reached.
    pub(super) async fn dial_with(
        &self,
        key: &Key,
        config: Option<Arc<ClientConfig>>,
    ) -> Result<Dialed, Failure> {
        let scheme = if key.is_secure { Scheme::HTTPS } else { Scheme::HTTP };
        let uri = Uri::builder().scheme(scheme).authority(key.authority.clone()).path_and_query("/");
        let uri = uri.build().map_err(Failure::unreachable)?;
        let io = self.connector.connect(uri).await.map_err(Failure::unreachable)?;
        let Some(config) = config else { return Ok(Dialed::Http1(Http1::new(Transport::Plain(io)))) };
        let host = key.authority.host().trim_matches(['[', ']']);
        let name = ServerName::try_from(host.to_owned()).map_err(Failure::unreachable)?;
        let handshake = timeout(HANDSHAKE_TIMEOUT, TlsConnector::from(config).connect(name, io));
        let io = handshake.await.map_err(Failure::unreachable)?.map_err(Failure::unreachable)?;
        if io.get_ref().1.alpn_protocol() == Some(b"h2") {
            return self.share(io).await.map(Dialed::Http2);
        }
        Ok(Dialed::Http1(Http1::new(Transport::Secure(Box::new(io)))))
    }

    /// Creates a connection of HTTP/2 when the server has told how many requests it takes at a time.
    ///
    /// # Errors
    /// The server does not speak HTTP/2, or is silent.
    async fn share(&self, io: TlsStream<BackendStream>) -> Result<Http2, Failure> {
        let (io, permitted) = FirstSettings::new(io);
        let connection = Http2::new(TokioIo::new(io)).await?;
        let permitted = timeout(HANDSHAKE_TIMEOUT, permitted).await.map_err(Failure::unreachable)?;
        connection.permit(permitted.map_err(|_| Failure::unreachable(NO_SETTINGS))?);
        Ok(connection)
    }
}
