//! The requests of a probe, and the check of their responses.

use std::collections::HashSet;
use std::net::SocketAddr;

use provider_api::UrlPath;

use crate::config::{LinkedPipeline, Network};
use crate::http::url_prefix::Scheme;
use crate::plan::route_table::RouteQuery;
use crate::snapshot::Snapshot;

/// A host that no ingress has, for endpoints that match by path (RFC 2606, section 2, reserves `.invalid`).
const UNUSED_HOST: &str = "probe.invalid";

/// A probe request to one listener.
#[derive(Debug)]
pub(super) struct ProbeRequest {
    scheme: Scheme,
    pub(super) host: String,
    port: u16,
    /// `*` for the listener as a whole.
    pub(super) path: String,
    /// The pipeline that the response must name.
    pipeline: Option<String>,
}

impl ProbeRequest {
    /// Creates a request for the generation of the snapshot that the listener serves.
    pub(super) fn generation() -> Self {
        let host = UNUSED_HOST.to_owned();
        Self { scheme: Scheme::Http, host, port: 80, path: "*".to_owned(), pipeline: None }
    }

    /// Returns the query for the route table, with the normal form of [`path`](Self::path); `None` for a request about the
    /// whole listener.
    pub(super) fn query<'a>(&'a self, path: &'a UrlPath<'a>) -> Option<RouteQuery<'a>> {
        let Self { scheme, host, port, pipeline, .. } = self;
        pipeline.as_ref().map(|_| RouteQuery { scheme: *scheme, host, port: *port, path })
    }

    /// Returns the value of the Host header.
    pub(super) fn authority(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// Checks the result of a listener that should serve `generation`. Its form is `GENERATION;PIPELINE`.
    ///
    /// # Errors
    /// A message with the expected and the found value.
    pub(super) fn check(&self, generation: u64, result: &str) -> Result<(), String> {
        let (from, pipeline) = result.split_once(';').unwrap_or((result, "-"));
        if from != generation.to_string() {
            return Err(format!("serves generation {from} instead of {generation}"));
        }
        match &self.pipeline {
            Some(expected) if expected != pipeline => Err(format!(
                "{}{} leads to the pipeline `{pipeline}` instead of `{expected}`",
                self.host, self.path
            )),
            _ => Ok(()),
        }
    }
}

/// Returns the requests for the routes of all files that differ from those of `previous`.
pub(super) fn requests(snapshot: &Snapshot, previous: &Snapshot) -> Vec<(SocketAddr, ProbeRequest)> {
    let changed = snapshot.documents.changed_since(&previous.documents);
    let changed = changed.filter_map(|(_, file)| file?.fragment());
    let changed: HashSet<&str> = changed.map(|fragment| fragment.source.name()).collect();
    let mut requests = Vec::new();
    for linked in snapshot.config.pipelines.iter().filter(|p| changed.contains(p.pipeline.place.file())) {
        for name in &linked.pipeline.networks {
            let network = snapshot.config.networks.iter().find(|network| network.name == name.value);
            if let Some((address, scheme)) = network.and_then(listen_address) {
                let of_pipeline = pipeline_requests(linked, scheme);
                requests.extend(of_pipeline.into_iter().map(|request| (address, request)));
            }
        }
    }
    requests
}

/// Returns the address and scheme of a network that listens.
fn listen_address(network: &Network) -> Option<(SocketAddr, Scheme)> {
    let listen = network.listen.as_ref()?;
    Some((listen.address.value, if listen.tls.is_some() { Scheme::Https } else { Scheme::Http }))
}

/// Returns the requests for the routes of one pipeline.
fn pipeline_requests(linked: &LinkedPipeline, scheme: Scheme) -> Vec<ProbeRequest> {
    let pipeline = || Some(linked.pipeline.name.clone());
    let path = |segments: &[String]| format!("/{}", segments.join("/"));
    let urls = linked.ingress.iter().flat_map(|ingress| &ingress.urls).map(|at| &at.value);
    // A URL of the other scheme belongs to a proxy in front of this gateway, so this listener cannot prove it.
    let urls = urls.filter(|url| url.scheme() == scheme).map(|url| ProbeRequest {
        scheme,
        host: url.host().to_owned(),
        port: url.port(),
        path: path(url.segments()),
        pipeline: pipeline(),
    });
    let prefixes = linked.endpoints.iter().filter_map(|endpoint| endpoint.segments.as_deref());
    let prefixes = prefixes.map(|segments| ProbeRequest {
        scheme,
        host: UNUSED_HOST.to_owned(),
        port: scheme.default_port(),
        path: path(segments),
        pipeline: pipeline(),
    });
    urls.chain(prefixes).collect()
}
