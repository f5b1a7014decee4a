//! TLS configurations from certificate and key files.

use std::sync::Arc;

use provider_api::Secret;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// The file of a TLS listener that has an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WrongFile {
    Cert,
    Key,
}

/// Builds the TLS configuration of a listener: TLS 1.2 and 1.3, HTTP/2 preferred.
///
/// # Errors
/// The file with the error, and a message that never shows the key.
pub(crate) fn server_config(cert: &Secret, key: &Secret) -> Result<Arc<ServerConfig>, (WrongFile, String)> {
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(cert.expose().as_bytes())
        .collect::<Result<_, _>>()
        .map_err(|e| (WrongFile::Cert, format!("the certificate is not PEM: {e}")))?;
    if chain.is_empty() {
        return Err((WrongFile::Cert, "the certificate file has no certificate in it".to_owned()));
    }
    let key = PrivateKeyDer::from_pem_slice(key.expose().as_bytes()).map_err(|_| {
        (WrongFile::Key, "the key file has no PKCS#8, PKCS#1 or SEC1 private key in it".to_owned())
    })?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|e| (WrongFile::Cert, e.to_string()))?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|e| (WrongFile::Cert, format!("certificate and key do not fit: {e}")))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
