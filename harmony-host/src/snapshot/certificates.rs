//! The ends of the certificates that a configuration names.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use provider_api::Secret;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use crate::config::Config;
use crate::diagnostics::problem::Problems;
use crate::diagnostics::source::Spanned;
use crate::documents::Documents;
use crate::status::timestamp;

/// The time before its end from which a certificate is warned about: enough for a renewal by hand.
const SOON: Duration = Duration::from_secs(30 * 24 * 3600);

/// The end of one certificate file.
#[derive(Clone, Debug)]
pub(crate) struct CertificateEnd {
    /// The key that names the file.
    pub(crate) key: String,
    pub(crate) file: Spanned<String>,
    pub(crate) ends_at: SystemTime,
}

/// How near the end of a certificate is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum CertificateState {
    Valid,
    EndsSoon,
    Expired,
}

impl CertificateState {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::EndsSoon => "ends soon",
            Self::Expired => "expired",
        }
    }
}

impl CertificateEnd {
    /// Returns the ends of the files of listeners and of `ca_cert_path`, by file. A file that cannot be read is reported
    /// where it is used.
    pub(super) fn all(config: &Config, documents: &Documents) -> Vec<Self> {
        let mut ends = BTreeMap::new();
        let mut add = |key: String, file: &Spanned<String>, end: fn(&Secret) -> Option<SystemTime>| {
            ends.entry(file.value.clone()).or_insert_with(|| {
                let ends_at = end(documents.pem(&file.value)?)?;
                Some(Self { key, file: file.clone(), ends_at })
            });
        };
        for network in &config.networks {
            if let Some(files) = network.listen.as_ref().and_then(|listen| listen.tls.as_ref()) {
                add(format!("network.{}.http.cert_path", network.name), &files.cert, end_of_chain);
            }
        }
        for backend in config.pipelines.iter().filter_map(|linked| linked.backend.as_ref()) {
            if let Some(file) = &backend.ca_cert {
                add(format!("backends.{}.ca_cert_path", backend.backend.name), file, end_of_authorities);
            }
        }
        ends.into_values().flatten().collect()
    }

    pub(crate) fn state(&self, now: SystemTime) -> CertificateState {
        match self.ends_at.duration_since(now) {
            Ok(left) if left >= SOON => CertificateState::Valid,
            Ok(left) if !left.is_zero() => CertificateState::EndsSoon,
            _ => CertificateState::Expired,
        }
    }

    /// Warns about a certificate that has expired or ends soon. It is not rejected: the gateway would stop serving the
    /// other networks over a date.
    pub(crate) fn warn(&self, now: SystemTime, problems: &mut Problems) {
        let end = timestamp(self.ends_at);
        let message = match self.state(now) {
            CertificateState::Valid => return,
            CertificateState::EndsSoon => format!("the certificate in {} expires at {end}", self.file.value),
            CertificateState::Expired => format!("the certificate in {} expired at {end}", self.file.value),
        };
        problems
            .warn(Some(&self.file.place), self.key.as_str(), message)
            .help("replace the file; the gateway takes the new one without a restart");
    }
}

/// A chain ends with the first certificate of it that does.
fn end_of_chain(pem: &Secret) -> Option<SystemTime> {
    ends(pem).min()
}

/// A file of authorities ends with the last one, since old ones are left in it while they are replaced.
fn end_of_authorities(pem: &Secret) -> Option<SystemTime> {
    ends(pem).max()
}

fn ends(pem: &Secret) -> impl Iterator<Item = SystemTime> {
    CertificateDer::pem_slice_iter(pem.expose().as_bytes()).filter_map(|certificate| {
        let certificate = certificate.ok()?;
        let (_, parsed) = x509_parser::parse_x509_certificate(&certificate).ok()?;
        let seconds = u64::try_from(parsed.validity().not_after.timestamp()).unwrap_or_default();
        SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
    })
}
