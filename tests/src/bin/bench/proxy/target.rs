//! A proxy as the load sees it.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use harmony_tests::Identity;
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;

use crate::connection::GetRequest;
use crate::process::Process;
use crate::subject::Subject;
use crate::upstream::Body;

/// The protocol of the connections to a proxy.
#[derive(Clone)]
pub(super) enum Front {
    /// HTTP/1.1 in clear text, at the address of the process.
    Plain,
    /// HTTP/1.1 over TLS, at this address.
    Tls(SocketAddr, TlsConnector),
    /// HTTP/2 in clear text with prior knowledge, at this address.
    Http2(SocketAddr),
}

impl Front {
    /// TLS to a server with this identity.
    pub(super) fn tls(address: SocketAddr, identity: &Identity) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(identity.der.clone()).expect("a trust anchor");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Self::Tls(address, TlsConnector::from(Arc::new(config)))
    }
}

impl fmt::Debug for Front {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plain => "Plain",
            Self::Tls(..) => "Tls",
            Self::Http2(..) => "Http2",
        })
    }
}

/// A proxy, the way to connect to it and the request to send.
#[derive(Clone, Debug)]
pub(super) struct Target<'a> {
    pub(super) name: &'static str,
    pub(super) process: &'a Process,
    pub(super) address: SocketAddr,
    pub(super) front: Front,
    pub(super) request: GetRequest,
}

impl<'a> Target<'a> {
    /// A proxy that serves HTTP/1.1 in clear text, with the request for the small body.
    pub(super) fn new(name: &'static str, process: &'a Process) -> Self {
        let address = process.address;
        let request = GetRequest::new(address, Body::Small.path());
        Self { name, process, address, front: Front::Plain, request }
    }

    /// The same proxy with another front.
    pub(super) fn with_front(self, front: Front) -> Self {
        let address = match &front {
            Front::Plain => self.process.address,
            Front::Tls(address, _) | Front::Http2(address) => *address,
        };
        let request = GetRequest::new(address, Body::Small.path());
        Self { address, front, request, ..self }
    }

    /// The same proxy with the request for another body.
    pub(super) fn for_body(self, body: Body) -> Self {
        Self { request: GetRequest::new(self.address, body.path()), ..self }
    }
}

impl<'a> From<&'a Subject> for Target<'a> {
    fn from(subject: &'a Subject) -> Self {
        Self { request: subject.request.clone(), ..Self::new(subject.name, &subject.proxy) }
    }
}
