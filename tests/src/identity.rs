//! TLS identities: self-signed certificates, and handshakes that check them.

use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// A self-signed certificate and its key, made for this call.
#[derive(Debug)]
pub struct Identity {
    /// The certificate, PEM.
    pub cert: String,
    /// The private key, PEM.
    pub key: String,
    /// The certificate in DER, as sent in a handshake.
    pub der: CertificateDer<'static>,
}

impl Identity {
    /// Generates a certificate for 127.0.0.1 and its key.
    ///
    /// # Panics
    /// Panics if the operating system has no randomness.
    pub fn new() -> Self {
        Self::of(&["127.0.0.1", "localhost"])
    }

    /// Returns the identity of a certificate and its key in PEM.
    ///
    /// # Panics
    /// Panics if the certificate cannot be read.
    pub fn from_pem(cert: String, key: String) -> Self {
        let der = CertificateDer::from_pem_slice(cert.as_bytes()).expect("a certificate");
        Self { cert, key, der }
    }

    /// Generates a certificate for these names and its key.
    ///
    /// # Panics
    /// Panics if the operating system has no randomness.
    pub fn of(names: &[&str]) -> Self {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let generated = rcgen::generate_simple_self_signed(names).expect("a certificate");
        Self {
            cert: generated.cert.pem(),
            key: generated.signing_key.serialize_pem(),
            der: generated.cert.der().clone(),
        }
    }
}

impl Identity {
    /// Returns an acceptor for TLS connections with this identity and these ALPN protocols.
    ///
    /// # Panics
    /// Never.
    pub fn acceptor(&self, protocols: &[&str]) -> TlsAcceptor {
        let key = PrivateKeyDer::from_pem_slice(self.key.as_bytes()).expect("a key");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![self.der.clone()], key)
            .expect("a pair");
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        TlsAcceptor::from(Arc::new(config))
    }
}

impl Default for Identity {
    fn default() -> Self {
        Self::new()
    }
}

/// Opens a TLS connection to 127.0.0.1 as a client that trusts these identities and offers these ALPN protocols.
///
/// # Errors
/// Fails if the handshake fails.
///
/// # Panics
/// Panics if no server listens on `port`.
pub async fn handshake(
    port: u16,
    trusted: &[&Identity],
    protocols: &[&str],
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    for identity in trusted {
        roots.add(identity.der.clone()).expect("a trust anchor");
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    let stream = TcpStream::connect(("127.0.0.1", port)).await.expect("a server listens");
    let name = ServerName::try_from("127.0.0.1").expect("an address");
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}
