use std::collections::HashSet;
use std::sync::Arc;

use provider_api::{Mode, Reference};
use url::Url;

use crate::config::activity::Activity;
use crate::config::lookup::{Lookup, listed};
use crate::config::{Backend, Egress, Endpoint, Ingress, Middleware, Pipeline, Target, Timing};
use crate::problem::Problems;
use crate::source::At;
use crate::url_prefix::UrlPrefix;

/// A pipeline with everything it names.
#[derive(Debug)]
pub struct LinkedPipeline {
    /// The pipeline.
    pub pipeline: Arc<Pipeline>,
    /// Its endpoints.
    pub endpoints: Vec<Arc<Endpoint>>,
    /// The backend its requests leave through: its first.
    pub backend: Option<LinkedBackend>,
    /// Its enabled ingresses.
    pub ingress: Vec<LinkedIngress>,
    /// Its enabled egresses that leave through [`backend`](Self::backend).
    pub egress: Vec<LinkedEgress>,
    /// Whether it has `mesh_auth` middleware, and whether that is `required`.
    pub mesh_auth: Option<bool>,
    /// What it needs and this host does not have. Such a pipeline answers 501, it is never served without.
    pub unserved: Option<String>,
}

/// A backend with where it sends to.
#[derive(Debug)]
pub struct LinkedBackend {
    /// The backend.
    pub backend: Arc<Backend>,
    /// Where it sends to.
    pub destination: Destination,
    /// How long it waits and how often it tries.
    pub timing: Timing,
}

/// Where a backend sends to.
#[derive(Clone, Debug)]
pub enum Destination {
    /// Nowhere: the request itself is the answer.
    Echo,
    /// A base URL.
    Url(Url),
    /// Whatever a reference resolves to when it is needed.
    Resource(Reference),
    /// Nowhere that this host can send to.
    Unserved,
}

/// An ingress with its URLs and endpoint.
#[derive(Debug)]
pub struct LinkedIngress {
    /// Its name.
    pub name: String,
    /// Its URLs.
    pub urls: Vec<At<UrlPrefix>>,
    /// The endpoint it leads to.
    pub endpoint: Arc<Endpoint>,
    /// Who may pass.
    pub mode: Mode,
}

/// An egress.
#[derive(Debug)]
pub struct LinkedEgress {
    /// Its name.
    pub name: String,
    /// Who may pass.
    pub mode: Mode,
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
}

impl Linker<'_> {
    pub(crate) fn pipeline(&self, pipeline: &Arc<Pipeline>, problems: &mut Problems) -> LinkedPipeline {
        let key = format!("pipelines.{}", pipeline.name);
        let mut lacks: Vec<String> = Vec::new();
        self.networks_of(pipeline, &key, problems);
        let find = |name| self.endpoints.find(name, &format!("{key}.endpoints"), problems);
        let endpoints: Vec<Arc<Endpoint>> = pipeline.endpoints.iter().filter_map(find).collect();
        for endpoint in &endpoints {
            self.endpoint(endpoint, &mut lacks);
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

    fn endpoint(&self, endpoint: &Endpoint, lacks: &mut Vec<String>) {
        if !endpoint.served() {
            lacks.push(format!("the endpoint service `{}`", endpoint.service.value.escape_debug()));
        }
        self.authentication("endpoint", &endpoint.name, endpoint.authentication.as_ref(), lacks);
    }

    fn authentication(
        &self,
        what: &str,
        name: &str,
        reference: Option<&At<String>>,
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
            let bare = ["passthru", "mesh_auth"].contains(&name.value.as_str())
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
                "passthru" => {}
                "mesh_auth" => mesh_auth = Some(required || mesh_auth.unwrap_or(false)),
                other => lacks.push(format!("the middleware `{}`", other.escape_debug())),
            }
        }
        mesh_auth
    }

    fn backend_of(
        &self,
        pipeline: &Pipeline,
        key: &str,
        lacks: &mut Vec<String>,
        problems: &mut Problems,
    ) -> Option<LinkedBackend> {
        let key = format!("{key}.backends");
        let found: Vec<Option<Arc<Backend>>> =
            pipeline.backends.iter().map(|name| self.backends.find(name, &key, problems)).collect();
        if pipeline.backends.is_empty() {
            lacks.push("a backend to send requests to".to_owned());
        }
        if let Some(second) = pipeline.backends.get(1) {
            let message = "only the first backend is used; this one gets no requests";
            problems.warn(Some(&second.place), key, message);
        }
        let backend = found.into_iter().next()??;
        Some(self.backend(backend, lacks, problems))
    }

    /// A backend as itself, without saying what is wrong with it.
    pub(crate) fn unused(&self, backend: &Arc<Backend>) -> LinkedBackend {
        self.backend(Arc::clone(backend), &mut Vec::new(), &mut Problems::default())
    }

    fn backend(
        &self,
        backend: Arc<Backend>,
        lacks: &mut Vec<String>,
        problems: &mut Problems,
    ) -> LinkedBackend {
        self.authentication("backend", &backend.name, backend.authentication.as_ref(), lacks);
        for option in &backend.unserved_options {
            lacks.push(format!("the option `{}` of backend `{}`", option.value, backend.name));
        }
        let mut timing = backend.timing.clone();
        let destination = match backend.service.value.as_str() {
            "echo" => Destination::Echo,
            "http" => self.http_destination(&backend, &mut timing, lacks, problems),
            other => {
                lacks.push(format!("the backend service `{}`", other.escape_debug()));
                Destination::Unserved
            }
        };
        LinkedBackend { backend, destination, timing }
    }

    fn http_destination(
        &self,
        backend: &Backend,
        timing: &mut Timing,
        lacks: &mut Vec<String>,
        problems: &mut Problems,
    ) -> Destination {
        let key = format!("backends.{}", backend.name);
        let mut connection = backend.connection.clone();
        if let Some(name) = &backend.target_ref {
            match self.targets.get(&name.value, name.place.source()) {
                Ok(target) => {
                    connection = connection.over(&target.connection);
                    *timing = timing.over(&target.timing);
                    if backend.authentication.is_none() {
                        self.authentication("target", &target.name, target.authentication.as_ref(), lacks);
                    }
                    if !target.enabled {
                        lacks.push(format!("the target `{}`, which is disabled", target.name));
                        return Destination::Unserved;
                    }
                }
                Err([]) if name.value.contains('.') => {
                    let reference = self.activity.reference(name, &format!("{key}.target_ref"), problems);
                    return reference.map_or(Destination::Unserved, Destination::Resource);
                }
                // Also beside a base_url: the target may have said how to prove who we are.
                Err(_) => {
                    self.targets.find(name, &format!("{key}.target_ref"), problems);
                    return Destination::Unserved;
                }
            }
        }
        if let Some(base) = &backend.base_url {
            return match crate::config::connection::base_url(&base.value) {
                Ok(url) => Destination::Url(url),
                Err(message) => {
                    problems.error(Some(&base.place), format!("{key}.options.base_url"), message);
                    Destination::Unserved
                }
            };
        }
        if !connection.spoken() {
            let protocol = connection.protocol.as_ref().map_or("", |p| p.value.as_str());
            lacks.push(format!("the protocol `{}` of backend `{}`", protocol.escape_debug(), backend.name));
            return Destination::Unserved;
        }
        match connection.url() {
            Some(Ok(url)) => Destination::Url(url),
            Some(Err(message)) => {
                let place = connection.host.as_ref().map_or(&backend.place, |host| &host.place);
                problems.error(Some(place), format!("{key}.connection"), message);
                Destination::Unserved
            }
            None => {
                problems
                    .error(Some(&backend.place), key, "an http backend needs to know where to send requests")
                    .help("set options.base_url, target_ref or connection.host");
                Destination::Unserved
            }
        }
    }

    fn ingress(
        &self,
        pipeline: &Pipeline,
        ingress: &Ingress,
        endpoints: &[Arc<Endpoint>],
        lacks: &mut Vec<String>,
        problems: &mut Problems,
    ) -> Option<LinkedIngress> {
        let key = format!("pipelines.{}.mesh.ingress.{}", pipeline.name, ingress.name);
        let mut urls = Vec::new();
        for url in &ingress.urls {
            match UrlPrefix::parse(&url.value) {
                Ok(prefix) => urls.push(At::new(prefix, url.place.clone())),
                Err(message) => {
                    problems.error(Some(&url.place), format!("{key}.urls"), message);
                }
            }
        }
        if ingress.protocol.as_deref() == Some("http3") {
            problems.warn(
                Some(&ingress.place),
                &key,
                "HTTP/3 is not served by this host; the URLs answer over HTTP/1.1 and HTTP/2",
            );
        }
        let endpoint = match &ingress.endpoint {
            Some(name) => self.endpoints.find(name, &format!("{key}.endpoint"), problems)?,
            None => match endpoints.first() {
                Some(first) => Arc::clone(first),
                None => {
                    problems
                        .error(
                            Some(&ingress.place),
                            key,
                            "the pipeline has no endpoint that this ingress could lead to",
                        )
                        .help("name one: `endpoint = \"...\"`");
                    return None;
                }
            },
        };
        if !endpoints.iter().any(|known| Arc::ptr_eq(known, &endpoint)) {
            self.endpoint(&endpoint, lacks);
        }
        Some(LinkedIngress { name: ingress.name.clone(), urls, endpoint, mode: ingress.mode })
    }

    /// The egress, when requests of the pipeline leave through it.
    fn egress(
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
                let message =
                    format!("requests of this pipeline do not leave through the backend `{}`", found.name);
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
                "HTTP/3 is not spoken by this host; requests leave over HTTP/1.1 or HTTP/2",
            );
        }
        Some(LinkedEgress { name: egress.name.clone(), mode: egress.mode })
    }
}
