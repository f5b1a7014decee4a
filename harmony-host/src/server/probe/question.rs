//! Questions to a listener.

use std::collections::HashSet;
use std::net::SocketAddr;

use crate::config::{LinkedPipeline, Network};
use crate::http::path::owned_segments;
use crate::http::url_prefix::Scheme;
use crate::plan::route_table::RouteQuery;
use crate::snapshot::Snapshot;

/// A host that no ingress has, for what is reached by its path alone (RFC 2606, section 2).
const NOBODY: &str = "probe.invalid";

/// A question of the gateway to one of its listeners.
#[derive(Debug)]
pub(super) struct Question {
    scheme: Scheme,
    pub(super) host: String,
    port: u16,
    /// `*` for the listener as a whole.
    pub(super) path: String,
    /// The pipeline that must be named.
    pipeline: Option<String>,
}

impl Question {
    /// The question from which snapshot a listener answers.
    pub(super) fn whole() -> Self {
        let host = NOBODY.to_owned();
        Self { scheme: Scheme::Http, host, port: 80, path: "*".to_owned(), pipeline: None }
    }

    /// The route to look up; `None` for a listener as a whole.
    pub(super) fn query(&self) -> Option<RouteQuery<'_>> {
        let Self { scheme, host, port, path, pipeline } = self;
        pipeline.as_ref().map(|_| RouteQuery { scheme: *scheme, host, port: *port, path })
    }

    /// The Host header.
    pub(super) fn authority(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// Checks the answer of a listener that should serve `generation`.
    ///
    /// # Errors
    /// What the answer says instead.
    pub(super) fn check(&self, generation: u64, answer: &str) -> Result<(), String> {
        let (from, pipeline) = answer.split_once(';').unwrap_or((answer, "-"));
        if from != generation.to_string() {
            return Err(format!("answers from the configuration {from} and not from {generation}"));
        }
        match &self.pipeline {
            Some(expected) if expected != pipeline => Err(format!(
                "{}{} leads to the pipeline `{pipeline}` and not to `{expected}`",
                self.host, self.path
            )),
            _ => Ok(()),
        }
    }
}

/// The questions about the routes of the files that differ from `before`.
pub(super) fn questions(snapshot: &Snapshot, before: &Snapshot) -> Vec<(SocketAddr, Question)> {
    let known: HashSet<_> = before.documents.files().collect();
    let changed: HashSet<&str> =
        snapshot.documents.files().filter(|file| !known.contains(file)).map(|(name, _)| name).collect();
    let mut questions = Vec::new();
    for linked in snapshot.config.pipelines.iter().filter(|p| changed.contains(p.pipeline.place.file())) {
        for name in &linked.pipeline.networks {
            let network = snapshot.config.networks.iter().find(|network| network.name == name.value);
            if let Some((address, scheme)) = network.and_then(listening) {
                let asked = of_pipeline(linked, scheme);
                questions.extend(asked.into_iter().map(|question| (address, question)));
            }
        }
    }
    questions
}

fn listening(network: &Network) -> Option<(SocketAddr, Scheme)> {
    let listen = network.listen.as_ref()?;
    Some((listen.address.value, if listen.tls.is_some() { Scheme::Https } else { Scheme::Http }))
}

fn of_pipeline(linked: &LinkedPipeline, scheme: Scheme) -> Vec<Question> {
    let pipeline = || Some(linked.pipeline.name.clone());
    let path = |segments: &[String]| format!("/{}", segments.join("/"));
    let urls = linked.ingress.iter().flat_map(|ingress| &ingress.urls).map(|at| &at.value);
    // An ingress of the other scheme is reached through something in front, or not at all.
    let urls = urls.filter(|url| url.scheme() == scheme).map(|url| Question {
        scheme,
        host: url.host().to_owned(),
        port: url.port(),
        path: path(url.segments()),
        pipeline: pipeline(),
    });
    let prefixes = linked.endpoints.iter().filter_map(|endpoint| endpoint.path_prefix.as_ref());
    let prefixes =
        prefixes.filter_map(|prefix| owned_segments(&prefix.value).ok()).map(|segments| Question {
            scheme,
            host: NOBODY.to_owned(),
            port: scheme.default_port(),
            path: path(&segments),
            pipeline: pipeline(),
        });
    urls.chain(prefixes).collect()
}
