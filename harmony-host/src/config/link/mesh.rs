//! Linking of the ingresses and egresses of a pipeline.

use std::collections::HashSet;
use std::sync::Arc;

use crate::config::link::{LinkedBackend, LinkedEgress, LinkedIngress, LinkedPipeline, Linker};
use crate::config::{Egress, Endpoint, Ingress, Pipeline};
use crate::diagnostics::problem::Problems;
use crate::diagnostics::source::Spanned;
use crate::http::url_prefix::UrlPrefix;

/// The part of a pipeline that meshes, and other pipelines with ingress URLs, know.
#[derive(Debug, PartialEq)]
pub(crate) struct KnownToMeshes<'a> {
    pipeline: &'a str,
    networks: Vec<&'a str>,
    /// The names of the ingresses and egresses, those that are disabled too.
    names: [Vec<&'a str>; 2],
    /// The URLs of the enabled ingresses.
    urls: Vec<(&'a str, Vec<&'a str>)>,
}

impl LinkedPipeline {
    /// Returns what meshes and other pipelines with ingress URLs know of it; `None` without an ingress and an egress.
    pub(crate) fn known_to_meshes(&self) -> Option<KnownToMeshes<'_>> {
        let Pipeline { name, networks, ingress, egress, .. } = &*self.pipeline;
        if ingress.is_empty() && egress.is_empty() {
            return None;
        }
        let urls = self
            .ingress
            .iter()
            .map(|one| (one.name.as_str(), one.urls.iter().map(|url| url.value.as_str()).collect()));
        Some(KnownToMeshes {
            pipeline: name,
            networks: networks.iter().map(|network| network.value.as_str()).collect(),
            names: [
                ingress.iter().map(|one| one.name.as_str()).collect(),
                egress.iter().map(|one| one.name.as_str()).collect(),
            ],
            urls: urls.collect(),
        })
    }
}

impl Linker<'_> {
    /// Links an ingress to its URLs and endpoint.
    pub(super) fn ingress(
        &self,
        pipeline: &Pipeline,
        ingress: &Ingress,
        endpoints: &[Arc<Endpoint>],
        own: &HashSet<*const Endpoint>,
        problems: &mut Problems,
    ) -> Option<LinkedIngress> {
        let key = format!("pipelines.{}.mesh.ingress.{}", pipeline.name, ingress.name);
        let mut urls = Vec::new();
        for url in &ingress.urls {
            match UrlPrefix::parse(&url.value) {
                Ok(prefix) => urls.push(Spanned::new(prefix, url.place.clone())),
                Err(message) => {
                    problems.error(Some(&url.place), format!("{key}.urls"), message);
                }
            }
        }
        if ingress.protocol.as_deref() == Some("http3") {
            problems.warn(
                Some(&ingress.place),
                &key,
                "this host does not support HTTP/3; it serves the URLs over HTTP/1.1 and HTTP/2",
            );
        }
        let endpoint = match &ingress.endpoint {
            Some(name) => {
                let found = self.endpoints.find(name, &format!("{key}.endpoint"), problems)?;
                // The rules of another pipeline's endpoint, such as its authentication, would not be those of this one.
                if !own.contains(&Arc::as_ptr(&found)) {
                    problems
                        .error(
                            Some(&name.place),
                            format!("{key}.endpoint"),
                            format!("`{}` is no endpoint of the pipeline `{}`", found.name, pipeline.name),
                        )
                        .help(format!(
                            "name one of the pipeline, or add it to `pipelines.{}.endpoints`",
                            pipeline.name
                        ));
                    return None;
                }
                found
            }
            None => match endpoints.first() {
                Some(first) => Arc::clone(first),
                // An endpoint that cannot be used has its error.
                None if !pipeline.endpoints.is_empty() || pipeline.endpoints_are_wrong => return None,
                None => {
                    problems
                        .error(Some(&ingress.place), key, "the pipeline has no endpoint for this ingress")
                        .help(format!("add one to `pipelines.{}.endpoints`", pipeline.name));
                    return None;
                }
            },
        };
        Some(LinkedIngress { name: ingress.name.clone(), urls, endpoint, mode: ingress.mode })
    }

    /// Links an egress; `None` if the requests of the pipeline do not use its backend.
    pub(super) fn egress(
        &self,
        pipeline: &Pipeline,
        egress: &Egress,
        backend: Option<&LinkedBackend>,
        problems: &mut Problems,
    ) -> Option<LinkedEgress> {
        let key = format!("pipelines.{}.mesh.egress.{}", pipeline.name, egress.name);
        if let Some(name) = &egress.backend {
            let found = self.backends.find(name, &format!("{key}.backend"), problems)?;
            if backend.is_none_or(|used| used.backend.name != found.name) {
                let message = format!("requests of this pipeline do not use the backend `{}`", found.name);
                problems
                    .warn(Some(&name.place), key, message)
                    .help("name it first in the pipeline's `backends`");
                return None;
            }
        }
        if egress.protocol.as_deref() == Some("http3") {
            problems.warn(
                Some(&egress.place),
                key,
                "this host does not support HTTP/3; it sends requests over HTTP/1.1 or HTTP/2",
            );
        }
        Some(LinkedEgress { name: egress.name.clone(), mode: egress.mode })
    }
}
