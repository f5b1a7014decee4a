//! Certificate authorities that are trusted for one backend.

use std::fmt;
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use crate::storage::digest::Digest;

/// The certificates of a `ca_cert_path`, trusted for its backend besides those of the system.
pub(crate) struct Authorities {
    pub(crate) digest: Digest,
    pub(crate) certificates: Vec<CertificateDer<'static>>,
    /// The same in PEM, for an application that sends requests itself.
    pub(crate) pem: Arc<str>,
}

impl Authorities {
    /// Reads certificates in PEM.
    ///
    /// # Errors
    /// A description, if there is no certificate or one cannot be trusted.
    pub(crate) fn parse(pem: &str) -> Result<Self, String> {
        let certificates: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(pem.as_bytes())
            .collect::<Result<_, _>>()
            .map_err(|e| format!("the file is not PEM: {e}"))?;
        if certificates.is_empty() {
            return Err("the file has no certificate in PEM in it".to_owned());
        }
        let mut roots = RootCertStore::empty();
        for (at, certificate) in certificates.iter().enumerate() {
            roots
                .add(certificate.clone())
                .map_err(|e| format!("certificate {} of the file cannot be trusted: {e}", at + 1))?;
        }
        Ok(Self { digest: Digest::of(pem.as_bytes()), certificates, pem: Arc::from(pem) })
    }
}

impl fmt::Debug for Authorities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authorities").field("digest", &self.digest).finish_non_exhaustive()
    }
}
