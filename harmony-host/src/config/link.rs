mod backend;
mod mesh;

use std::collections::HashSet;
use std::sync::Arc;

use provider_api::{Mode, Reference};
use url::Url;

use crate::config::activity::Activity;
use crate::config::capabilities::Capabilities;
use crate::config::lookup::{Lookup, listed};
use crate::config::{Backend, Endpoint, Middleware, Pipeline, Target, Timing};
use crate::diagnostics::problem::Problems;
use crate::diagnostics::source::Spanned;
use crate::http::url_prefix::UrlPrefix;

/// A pipeline with everything it names.
#[derive(Debug)]
pub(crate) struct LinkedPipeline {
    /// The pipeline.
    pub(crate) pipeline: Arc<Pipeline>,
    /// Its endpoints.
    pub(crate) endpoints: Vec<Arc<Endpoint>>,
    /// The backend its requests leave through: its first.
    pub(crate) backend: Option<LinkedBackend>,
    /// Its enabled ingresses.
    pub(crate) ingress: Vec<LinkedIngress>,
    /// Its enabled egresses that leave through [`backend`](Self::backend).
    pub(crate) egress: Vec<LinkedEgress>,
    /// Whether it has `mesh_auth` middleware, and whether that is `required`.
    pub(crate) mesh_auth: Option<bool>,
    /// What it needs and this host does not have. Such a pipeline answers 501, it is never served without.
    pub(crate) unserved: Option<String>,
}

/// A backend with where it sends to.
#[derive(Debug)]
pub(crate) struct LinkedBackend {
    /// The backend.
    pub(crate) backend: Arc<Backend>,
    /// Where it sends to.
    pub(crate) destination: Destination,
    /// How long it waits and how often it tries.
    pub(crate) timing: Timing,
}

/// Where a backend sends to.
#[derive(Clone, Debug)]
pub(crate) enum Destination {
    /// Nowhere: the request itself is the answer.
    Echo,
    /// A base URL.
    Url(Url),
    /// The resource that a reference resolves to when it is needed.
    Resource(Reference),
    /// A service of the application that embeds the host.
    Application,
    /// Nowhere that this host can send to.
    Unserved,
}

/// An ingress with its URLs and endpoint.
#[derive(Debug)]
pub(crate) struct LinkedIngress {
    /// Its name.
    pub(crate) name: String,
    /// Its URLs.
    pub(crate) urls: Vec<Spanned<UrlPrefix>>,
    /// The endpoint it leads to.
    pub(crate) endpoint: Arc<Endpoint>,
    /// Who may pass.
    pub(crate) mode: Mode,
}

/// An egress.
#[derive(Debug)]
pub(crate) struct LinkedEgress {
    /// Its name.
    pub(crate) name: String,
    /// Who may pass.
    pub(crate) mode: Mode,
}

/// Follows the names in pipelines.
pub(crate) struct Linker<'a> {
    pub(crate) endpoints: Lookup<Endpoint>,
    pub(crate) backends: Lookup<Backend>,
    pub(crate) targets: Lookup<Target>,
    pub(crate) middleware: Lookup<Middleware>,
    pub(crate) middleware_types: HashSet<&'a str>,
    pub(crate) open_authentications: HashSet<&'a str>,
    pub(crate) networks: HashSet<&'a str>,
    pub(crate) activity: &'a Activity,
    pub(crate) capabilities: &'a Capabilities,
}

impl Linker<'_> {
    pub(crate) fn pipeline(&self, pipeline: &Arc<Pipeline>, problems: &mut Problems) -> LinkedPipeline {
        let key = format!("pipelines.{}", pipeline.name);
        let mut lacks: Vec<String> = Vec::new();
        self.networks_of(pipeline, &key, problems);
        let find = |name| self.endpoints.find(name, &format!("{key}.endpoints"), problems);
        let endpoints: Vec<Arc<Endpoint>> = pipeline.endpoints.iter().filter_map(find).collect();
        for endpoint in &endpoints {
            self.endpoint(endpoint, &mut lacks, problems);
        }
        let mesh_auth = self.middleware_of(pipeline, &key, &mut lacks, problems);
        let backend = self.backend_of(pipeline, &key, &mut lacks, problems);
        let mut ingress = Vec::new();
        for one in pipeline.ingress.iter().filter(|one| one.enabled) {
            ingress.extend(self.ingress(pipeline, one, &endpoints, &mut lacks, problems));
        }
        let linked = LinkedPipeline {
            ingress,
            egress: pipeline
                .egress
                .iter()
                .filter(|e| e.enabled)
                .filter_map(|e| self.egress(pipeline, e, backend.as_ref(), problems))
                .collect(),
            pipeline: Arc::clone(pipeline),
            endpoints,
            backend,
            mesh_auth,
            unserved: (!lacks.is_empty()).then(|| lacks.join(", ")),
        };
        if let Some(lacks) = &linked.unserved {
            let message =
                format!("this host does not have {lacks}; requests to this pipeline are answered 501");
            problems.warn(Some(&pipeline.place), key, message);
        }
        linked
    }

    fn networks_of(&self, pipeline: &Pipeline, key: &str, problems: &mut Problems) {
        for name in pipeline.networks.iter().filter(|name| !self.networks.contains(name.value.as_str())) {
            let mut known: Vec<&str> = self.networks.iter().copied().collect();
            known.sort_unstable();
            let message = format!("there is no [network.{}] in config.toml", name.value.escape_debug());
            problems
                .error(Some(&name.place), format!("{key}.networks"), message)
                .help(format!("defined are: {}", listed(&known)));
        }
        for (what, missing) in
            [("networks", pipeline.networks.is_empty()), ("endpoints", pipeline.endpoints.is_empty())]
        {
            if missing {
                let message = format!("no `{what}` are named, so no request reaches this pipeline");
                problems.warn(Some(&pipeline.place), key, message);
            }
        }
    }

    fn endpoint(&self, endpoint: &Endpoint, lacks: &mut Vec<String>, problems: &mut Problems) {
        if self.capabilities.serves_endpoint(&endpoint.service.value) {
            endpoint.check_path(problems);
        } else {
            lacks.push(format!("the endpoint service `{}`", endpoint.service.value.escape_debug()));
        }
        self.authentication("endpoint", &endpoint.name, endpoint.authentication.as_ref(), lacks);
    }

    fn authentication(
        &self,
        what: &str,
        name: &str,
        reference: Option<&Spanned<String>>,
        lacks: &mut Vec<String>,
    ) {
        let Some(at) = reference else { return };
        let bare = at.value.strip_prefix("authentications.").unwrap_or(&at.value);
        if !self.open_authentications.contains(bare) {
            lacks.push(format!("the authentication `{bare}` of {what} `{name}`"));
        }
    }

    /// Whether there is `mesh_auth`, and whether it is required.
    fn middleware_of(
        &self,
        pipeline: &Pipeline,
        key: &str,
        lacks: &mut Vec<String>,
        problems: &mut Problems,
    ) -> Option<bool> {
        let mut mesh_auth = None;
        for name in &pipeline.middleware {
            // A name that is not defined but is a type stands for that type without options.
            let bare = self.capabilities.serves_middleware(&name.value)
                || self.middleware_types.contains(name.value.as_str());
            let defined = self.middleware.get(&name.value, name.place.source());
            let (kind, required) = match defined {
                Err([]) if bare => (name.value.clone(), false),
                _ => match self.middleware.find(name, &format!("{key}.middleware"), problems) {
                    Some(found) => (found.kind.value.clone(), found.required),
                    None => continue,
                },
            };
            match kind.as_str() {
                "mesh_auth" => mesh_auth = Some(required || mesh_auth.unwrap_or(false)),
                served if self.capabilities.serves_middleware(served) => {}
                other => lacks.push(format!("the middleware `{}`", other.escape_debug())),
            }
        }
        mesh_auth
    }
}
