//! The export of a build without it: no request has spans.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use http::Request;

use crate::trace::Identity;

/// The exporter that no such build has.
#[derive(Debug)]
pub(crate) enum Exporter {}

impl Exporter {
    /// Returns the number of dropped spans.
    pub(crate) fn dropped(&self) -> u64 {
        match *self {}
    }
}

/// The spans of a request: none.
#[derive(Debug)]
pub(crate) struct Spans;

impl Spans {
    pub(crate) fn begin<B>(
        _exporter: Option<&Arc<Exporter>>,
        _peer: SocketAddr,
        _request: &Request<B>,
        _identity: &mut Identity,
    ) -> Self {
        Self
    }

    pub(crate) fn is_on(&self) -> bool {
        false
    }

    pub(crate) fn discard(&mut self) {}

    pub(crate) fn come_from(
        &mut self,
        _client: Option<IpAddr>,
        _network: &Arc<str>,
        _scheme: &'static str,
        _generation: u64,
    ) {
    }

    pub(crate) fn route(&mut self, _pipeline: &Arc<str>, _endpoint: &Arc<str>, _authority: &str) {}

    pub(crate) fn attempt(&mut self, _origin: &str, _identity: &mut Identity) {}

    pub(crate) fn answered(&mut self, _status: u16) {}

    pub(crate) fn failed(&mut self, _fault: &'static str) {}

    pub(crate) fn finish(&mut self, _status: u16, _reason: Option<&'static str>, _is_complete: bool) {}
}
