//! Linking: pipelines with the definitions that they name.

mod backend;
pub(crate) mod mesh;
pub(crate) mod misnamed;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use provider_api::{Mode, Reference};
use url::Url;

use crate::config::active_providers::ActiveProviders;
use crate::config::alternatives::alternatives;
use crate::config::capabilities::{Capabilities, HOST_MIDDLEWARE};
use crate::config::lookup::Lookup;
use crate::config::mesh_auth::{Direction, MeshAuth, TokenRule};
use crate::config::{Backend, Endpoint, Middleware, Peer, Pipeline, Target, Timing};
use crate::diagnostics::problem::Problems;
use crate::diagnostics::source::{Place, Spanned};
use crate::http::url_prefix::UrlPrefix;

/// A pipeline with the definitions that it names.
#[derive(Clone, Debug)]
pub(crate) struct LinkedPipeline {
    /// The pipeline.
    pub(crate) pipeline: Arc<Pipeline>,
    /// The endpoints.
    pub(crate) endpoints: Vec<Arc<Endpoint>>,
    /// The backend that receives the requests: the first one.
    pub(crate) backend: Option<LinkedBackend>,
    /// The enabled ingresses.
    pub(crate) ingress: Vec<LinkedIngress>,
    /// The enabled egresses that use [`backend`](Self::backend).
    pub(crate) egress: Vec<LinkedEgress>,
    /// Set when an egress that uses the backend, enabled or not, has `mode = "mesh"`.
    pub(crate) mesh_only: bool,
    /// The `mesh_auth` middleware, from which the two rules follow once the meshes are known.
    pub(crate) mesh_auth: Vec<Arc<MeshAuth>>,
    /// Set when another file defines some of its middleware, or none does.
    pub(crate) borrows_middleware: bool,
    /// The rule of its `mesh_auth` for the requests that come in; `None` without one.
    pub(crate) ingress_auth: Option<TokenRule>,
    /// The rule of its `mesh_auth` for the requests that leave; `None` without one.
    pub(crate) egress_auth: Option<TokenRule>,
    /// The endpoints whose peer is disabled, with the reason: their requests are answered 503.
    pub(crate) closed: BTreeMap<String, String>,
    /// The features that the pipeline needs and this host does not have. Such a pipeline answers 501; it is never
    /// served without them, since one of them may be its authentication.
    pub(crate) unserved: Option<String>,
    /// The problems that linking it has found; only warnings once the configuration is accepted.
    pub(crate) problems: Problems,
}

/// A backend with its destination.
#[derive(Clone, Debug)]
pub(crate) struct LinkedBackend {
    /// The backend.
    pub(crate) backend: Arc<Backend>,
    /// The destination.
    pub(crate) destination: Destination,
    /// The timeout and retries, of the backend or its target.
    pub(crate) timing: Timing,
    /// The file of certificate authorities that are trusted for the destination, of the backend or its target.
    pub(crate) ca_cert: Option<Spanned<String>>,
}

/// The destination of a backend.
#[derive(Clone, Debug)]
pub(crate) enum Destination {
    /// No destination: the response describes the request.
    Echo,
    /// A server, by its base URL.
    Url(Url),
    /// A resource, by a reference that is resolved on demand.
    Resource(Reference),
    /// A service of the application that embeds the host.
    Application,
    /// No destination that this host supports.
    Unserved,
}

/// An ingress with its URLs and endpoint.
#[derive(Clone, Debug)]
pub(crate) struct LinkedIngress {
    /// The name.
    pub(crate) name: String,
    /// The URLs.
    pub(crate) urls: Vec<Spanned<UrlPrefix>>,
    /// The endpoint that receives the requests.
    pub(crate) endpoint: Arc<Endpoint>,
    /// The admission mode.
    pub(crate) mode: Mode,
}

/// An egress that requests can use.
#[derive(Clone, Debug)]
pub(crate) struct LinkedEgress {
    /// The name.
    pub(crate) name: String,
    /// The admission mode.
    pub(crate) mode: Mode,
}

impl LinkedPipeline {
    /// Returns whether requests are sent by this backend.
    pub(crate) fn sends_by(&self, backend: &Arc<Backend>) -> bool {
        self.backend.as_ref().is_some_and(|linked| Arc::ptr_eq(&linked.backend, backend))
    }

    /// Returns whether the rules of the pipeline depend on no mesh, and every endpoint and backend that it names is in its own
    /// file.
    pub(crate) fn is_alone(&self) -> bool {
        self.mesh_auth.is_empty() && !self.depends_on_others()
    }

    fn depends_on_others(&self) -> bool {
        self.endpoints.iter().any(|endpoint| !self.is_own(&endpoint.place))
            || self.backend.as_ref().is_some_and(|linked| !self.is_own(&linked.backend.place))
            || self.pipeline.backends.len() > 1
    }

    /// Returns whether another file that defines some of these endpoints, backends and middleware, or no longer does, may
    /// concern the pipeline. A definition in its own file comes first.
    pub(crate) fn depends_on(&self, sorted_names: &[&str]) -> bool {
        let is_named = |name: &str| sorted_names.binary_search(&name).is_ok();
        self.names().any(is_named)
            && (self.depends_on_others()
                || self.borrows_middleware
                || !self.pipeline.egress.is_empty()
                || !self.pipeline.ingress.is_empty())
    }

    fn is_own(&self, place: &Place) -> bool {
        Arc::ptr_eq(place.source(), self.pipeline.place.source())
    }

    /// Returns every name by which the pipeline, or a definition that it names, refers to a definition.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        let Pipeline { endpoints, middleware, backends, ingress, egress, .. } = &*self.pipeline;
        let listed = endpoints.iter().chain(middleware).chain(backends);
        let of_ingress = ingress.iter().filter_map(|ingress| ingress.endpoint.as_ref());
        let of_egress = egress.iter().filter_map(|egress| egress.backend.as_ref());
        let peers = self.endpoints.iter().filter_map(|endpoint| endpoint.peer_ref.as_ref());
        let target = self.backend.iter().filter_map(|linked| linked.backend.target_ref.as_ref());
        listed.chain(of_ingress).chain(of_egress).chain(peers).chain(target).map(|at| at.value.as_str())
    }
}

/// Resolves the names in pipelines to definitions.
pub(crate) struct Linker<'a> {
    pub(crate) endpoints: Lookup<'a, Endpoint>,
    pub(crate) backends: Lookup<'a, Backend>,
    pub(crate) targets: Lookup<'a, Target>,
    pub(crate) peers: Lookup<'a, Peer>,
    pub(crate) middleware: Lookup<'a, Middleware>,
    pub(crate) middleware_types: HashSet<&'a str>,
    pub(crate) authentications: HashSet<&'a str>,
    pub(crate) open_authentications: HashSet<&'a str>,
    pub(crate) networks: HashSet<&'a str>,
    pub(crate) providers: &'a ActiveProviders,
    pub(crate) capabilities: &'a Capabilities,
}

impl Linker<'_> {
    /// Links one pipeline.
    pub(crate) fn pipeline(&self, pipeline: &Arc<Pipeline>) -> LinkedPipeline {
        let mut found = Problems::default();
        let problems = &mut found;
        let key = format!("pipelines.{}", pipeline.name);
        let mut missing: Vec<String> = Vec::new();
        self.networks_of(pipeline, &key, problems);
        let find = |name| self.endpoints.find(name, &format!("{key}.endpoints"), problems);
        let endpoints: Vec<Arc<Endpoint>> = pipeline.endpoints.iter().filter_map(find).collect();
        let mut closed = BTreeMap::new();
        for endpoint in &endpoints {
            if let Some(reason) = self.endpoint(endpoint, &mut missing, problems) {
                let message = format!("{reason}; its requests are answered 503");
                let place = endpoint.peer_ref.as_ref().map(|at| &at.place);
                problems.warn(place, format!("endpoints.{}.peer_ref", endpoint.name), message);
                closed.insert(endpoint.name.clone(), reason);
            }
        }
        let mesh_auth = self.middleware_of(pipeline, &key, &mut missing, problems);
        let backend = self.backend_of(pipeline, &key, &mut missing, problems);
        let sends = matches!(
            backend.as_ref().map(|backend| &backend.destination),
            Some(Destination::Url(_) | Destination::Resource(_))
        );
        if !sends && mesh_auth.iter().any(|auth| auth.required && auth.direction == Direction::Egress) {
            missing.push(
                "`mesh_auth` with `direction = \"egress\"` before a backend that is no HTTP server"
                    .to_owned(),
            );
        }
        let own: HashSet<_> = endpoints.iter().map(Arc::as_ptr).collect();
        let mut ingress = Vec::new();
        for one in &pipeline.ingress {
            // One that is disabled is checked too: the rules of its endpoint stay.
            let linked = self.ingress(pipeline, one, &endpoints, &own, problems);
            ingress.extend(linked.filter(|_| one.enabled));
        }
        let mut egress = Vec::new();
        let mut mesh_only = false;
        for one in &pipeline.egress {
            let linked = self.egress(pipeline, one, backend.as_ref(), problems);
            // Disabling a mesh-only egress must not open its backend to everybody: mesh context stays required.
            mesh_only |= linked.as_ref().is_some_and(|linked| linked.mode == Mode::Mesh);
            egress.extend(linked.filter(|_| one.enabled));
        }
        let unserved = (!missing.is_empty()).then(|| missing.join(", "));
        if let Some(missing) = &unserved {
            let message =
                format!("this host does not have {missing}; requests to this pipeline are answered 501");
            problems.warn(Some(&pipeline.place), key, message);
        }
        LinkedPipeline {
            ingress,
            egress,
            mesh_only,
            pipeline: Arc::clone(pipeline),
            endpoints,
            backend,
            borrows_middleware: self.borrows_middleware(pipeline),
            mesh_auth,
            ingress_auth: None,
            egress_auth: None,
            closed,
            unserved,
            problems: found,
        }
    }

    /// Checks the networks of a pipeline, and that it can receive requests.
    fn networks_of(&self, pipeline: &Pipeline, key: &str, problems: &mut Problems) {
        for name in pipeline.networks.iter().filter(|name| !self.networks.contains(name.value.as_str())) {
            let known: Vec<&str> = self.networks.iter().copied().collect();
            let message = format!("there is no [network.{}] in config.toml", name.value.escape_debug());
            problems
                .error(Some(&name.place), format!("{key}.networks"), message)
                .help(alternatives(&name.value, &known));
        }
        for (what, is_empty) in
            [("networks", pipeline.networks.is_empty()), ("endpoints", pipeline.endpoints.is_empty())]
        {
            if is_empty {
                let message = format!("this pipeline has no `{what}`, so no request reaches it");
                problems.warn(Some(&pipeline.place), key, message);
            }
        }
    }

    /// Checks that this host serves an endpoint. Returns the reason for which it is closed, if its peer is disabled.
    fn endpoint(
        &self,
        endpoint: &Endpoint,
        missing: &mut Vec<String>,
        problems: &mut Problems,
    ) -> Option<String> {
        if self.capabilities.serves_endpoint(&endpoint.service.value) {
            endpoint.check_path(problems);
        } else {
            missing.push(format!("the endpoint service `{}`", endpoint.service.value.escape_debug()));
        }
        self.authentication("endpoint", &endpoint.name, endpoint.authentication.as_ref(), missing);
        let at = endpoint.peer_ref.as_ref()?;
        let key = format!("endpoints.{}.peer_ref", endpoint.name);
        let peer = self.peers.find(at, &key, problems)?;
        // The endpoint inherits both. Its own authentication, where it has one, replaces that of the peer.
        if endpoint.authentication.is_none() {
            self.authentication("peer", &peer.name, peer.authentication.as_ref(), missing);
        }
        (!peer.enabled)
            .then(|| format!("endpoint `{}` is closed: its peer `{}` is disabled", endpoint.name, peer.name))
    }

    /// Adds an authentication to `missing`, unless its method is `none`: this host authenticates with mesh tokens only.
    fn authentication(
        &self,
        what: &str,
        name: &str,
        reference: Option<&Spanned<String>>,
        missing: &mut Vec<String>,
    ) {
        let Some(at) = reference else { return };
        let bare = at.value.strip_prefix("authentications.").unwrap_or(&at.value);
        if !self.open_authentications.contains(bare) {
            missing.push(format!("the authentication `{bare}` of {what} `{name}`"));
        }
    }

    /// Checks the middleware of a pipeline. Returns its `mesh_auth`.
    fn middleware_of(
        &self,
        pipeline: &Pipeline,
        key: &str,
        missing: &mut Vec<String>,
        problems: &mut Problems,
    ) -> Vec<Arc<MeshAuth>> {
        let mut mesh_auth = Vec::new();
        for name in &pipeline.middleware {
            // An undefined name that is a type means that type without options.
            let bare = self.capabilities.serves_middleware(&name.value)
                || self.middleware_types.contains(name.value.as_str());
            let defined = self.middleware.get(&name.value, name.place.source());
            let found = match defined {
                Err(none) if none.is_empty() && bare => None,
                _ => match self.middleware.find(name, &format!("{key}.middleware"), problems) {
                    Some(found) => Some(found),
                    None => continue,
                },
            };
            match found.as_ref().map_or(name.value.as_str(), |found| &found.kind.value) {
                "mesh_auth" => {
                    let plain = || Arc::new(MeshAuth::plain(format!("{key}.middleware")));
                    mesh_auth
                        .push(found.as_ref().and_then(|found| found.mesh_auth.clone()).unwrap_or_else(plain));
                }
                served if self.capabilities.serves_middleware(served) => {}
                other => missing.push(format!("the middleware `{}`", other.escape_debug())),
            }
            if let Some(found) = found.filter(|found| HOST_MIDDLEWARE.contains(&found.kind.value.as_str())) {
                self.own_middleware(&found, missing, problems);
            }
        }
        mesh_auth
    }

    fn borrows_middleware(&self, pipeline: &Pipeline) -> bool {
        let file = pipeline.place.source();
        let is_own = |name: &Spanned<String>| {
            let found = self.middleware.get(&name.value, file);
            found.is_ok_and(|found| Arc::ptr_eq(found.place.source(), file))
        };
        !pipeline.middleware.iter().all(is_own)
    }

    /// Checks the authentication and the options of a middleware that is the host's own.
    fn own_middleware(&self, found: &Middleware, missing: &mut Vec<String>, problems: &mut Problems) {
        let name = &found.name;
        let kind = found.kind.value.as_str();
        let served = |key: &str| self.capabilities.serves_option("middleware.*", kind, key);
        for option in found.unserved_options.iter().filter(|option| !served(option)) {
            missing.push(format!("the option `{option}` of middleware `{name}`"));
        }
        let Some(at) = &found.authentication else { return };
        let bare = at.value.strip_prefix("authentications.").unwrap_or(&at.value);
        if self.authentications.contains(bare) {
            self.authentication("middleware", name, Some(at), missing);
        } else {
            let mut known: Vec<&str> = self.authentications.iter().copied().collect();
            known.sort_unstable();
            let message = format!("there is no [authentications.{}]", bare.escape_debug());
            problems
                .error(Some(&at.place), format!("middleware.{name}.authentication"), message)
                .help(alternatives(bare, &known));
        }
    }
}
