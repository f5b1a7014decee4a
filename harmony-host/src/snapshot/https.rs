//! Redirects from cleartext to https.

use std::cell::LazyCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rustls::client::verify_server_name;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::server::ParsedCertificate;

use crate::config::Config;
use crate::config::force_https::https_listener;
use crate::documents::Documents;
use crate::http::authority::split_port;

/// The redirects of the networks with `force_https`, by network.
pub(crate) type HttpsRedirects = BTreeMap<Arc<str>, HttpsRedirect>;

/// The redirect of the cleartext requests of a network.
#[derive(Debug)]
pub(crate) struct HttpsRedirect {
    port: u16,
    /// The certificate of the https listener.
    certificate: Option<CertificateDer<'static>>,
    /// The hosts of the ingress URLs, in lower case.
    hosts: Arc<BTreeSet<String>>,
}

impl HttpsRedirect {
    /// Returns the origin for a request to `authority`; `None` for a host that this gateway does not serve. The Host header
    /// is the client's: a redirect to any host would lend this gateway's name to a link that leads elsewhere.
    pub(super) fn origin(&self, authority: &str) -> Option<String> {
        let (host, _) = split_port(authority)?;
        let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
        if !self.hosts.contains(&host) && !self.certifies(&host) {
            return None;
        }
        Some(match self.port {
            443 => format!("https://{host}"),
            port => format!("https://{host}:{port}"),
        })
    }

    /// Returns whether the certificate is valid for the host.
    fn certifies(&self, host: &str) -> bool {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let certificate = self.certificate.as_ref().and_then(|der| ParsedCertificate::try_from(der).ok());
        let name = ServerName::try_from(bare).ok();
        certificate
            .zip(name)
            .is_some_and(|(certificate, name)| verify_server_name(&certificate, &name).is_ok())
    }
}

/// Returns the redirects of a configuration. Its certificates have been checked.
pub(super) fn redirects(config: &Config, documents: &Documents) -> HttpsRedirects {
    let hosts = LazyCell::new(|| {
        let ingress = config.pipelines.iter().flat_map(|linked| &linked.ingress);
        let urls = ingress.flat_map(|ingress| &ingress.urls);
        Arc::new(urls.map(|url| url.value.host().to_owned()).collect::<BTreeSet<_>>())
    });
    let mut redirects = HttpsRedirects::new();
    for network in &config.networks {
        let Some(listen) = network.listen.as_ref().filter(|listen| listen.force_https.is_some()) else {
            continue;
        };
        let Some(https) = https_listener(listen, &config.networks) else { continue };
        let pem = https.tls.as_ref().and_then(|tls| documents.pem(&tls.cert.value));
        let certificate = pem.and_then(|pem| CertificateDer::from_pem_slice(pem.expose().as_bytes()).ok());
        let redirect =
            HttpsRedirect { port: https.address.value.port(), certificate, hosts: Arc::clone(&hosts) };
        redirects.insert(Arc::from(network.name.as_str()), redirect);
    }
    redirects
}
