//! Building the plans of a configuration.

use std::collections::HashMap;
use std::sync::Arc;

use provider_api::{Mode, Reference};

use crate::config::{
    Config, Destination, Endpoint, LinkedBackend, LinkedIngress, LinkedMesh, LinkedPipeline,
};
use crate::diagnostics::problem::Problems;
use crate::documents::Documents;
use crate::http::path::owned_segments;
use crate::plan::authorities::Authorities;
use crate::plan::base_url::BaseUrl;
use crate::plan::mesh::MeshPlan;
use crate::plan::reference_cache::ReferenceCache;
use crate::plan::route::{Admission, PipelinePlan, Route, Tables};
use crate::plan::route_table::RouteTable;
use crate::plan::target::Target;
use crate::plan::upstream::{HttpUpstream, Location, Upstream};
use crate::providers::resolutions::{ProviderResolutions, Resolutions};

struct Planner<'a> {
    sender: Arc<str>,
    /// The cached resolutions of the primary provider: the only one that is not local.
    resolutions: ProviderResolutions,
    /// One target per reference, shared by all backends that use it: one fetch serves them all.
    targets: HashMap<Reference, Arc<Target>>,
    meshes: Vec<(&'a LinkedMesh, Arc<MeshPlan>)>,
    documents: &'a Documents,
    /// The certificate authorities of backends, by file.
    authorities: HashMap<&'a str, Option<Arc<Authorities>>>,
    problems: &'a mut Problems,
}

/// The plans of a configuration.
#[derive(Debug)]
pub(crate) struct Plans {
    /// The routes of every network.
    pub(crate) tables: Tables,
    /// The targets of the references in the configuration.
    pub(crate) targets: HashMap<Reference, Arc<Target>>,
    /// Every enabled mesh.
    pub(crate) meshes: Vec<Arc<MeshPlan>>,
    /// The targets of other references, which the embedding application resolves.
    pub(crate) references: ReferenceCache,
}

/// Builds the plans of a configuration.
pub(crate) fn build_plans(
    config: &Config,
    documents: &Documents,
    resolutions: &Arc<Resolutions>,
    problems: &mut Problems,
) -> Plans {
    let mut planner = Planner {
        sender: Arc::from(config.proxy.id.as_str()),
        resolutions: resolutions.for_provider(&config.primary.identity()),
        targets: HashMap::new(),
        meshes: Vec::new(),
        documents,
        authorities: HashMap::new(),
        problems,
    };
    for linked in &config.meshes {
        let plan = MeshPlan::new(linked, &planner.sender.clone(), |reference| planner.target(reference));
        planner.meshes.push((linked, Arc::new(plan)));
    }
    let mut tables: Tables = config
        .networks
        .iter()
        .map(|network| (Arc::from(network.name.as_str()), Default::default()))
        .collect();
    for linked in &config.pipelines {
        let plan = planner.pipeline(linked);
        planner.routes(linked, &plan, &mut tables);
    }
    let meshes = planner.meshes.into_iter().map(|(_, plan)| plan).collect();
    Plans { tables, targets: planner.targets, meshes, references: ReferenceCache::new(planner.resolutions) }
}

impl<'a> Planner<'a> {
    fn target(&mut self, reference: &Reference) -> Arc<Target> {
        let target = self.targets.entry(reference.clone());
        let resolutions = &self.resolutions;
        Arc::clone(target.or_insert_with(|| Arc::new(Target::new(reference.clone(), resolutions))))
    }

    /// Returns the certificate authorities of a backend; adds an error for a file without any.
    fn authorities(&mut self, linked: &'a LinkedBackend) -> Option<Arc<Authorities>> {
        let at = linked.ca_cert.as_ref()?;
        // A file that cannot be read was reported when the documents were loaded.
        let pem = self.documents.pem(&at.value)?;
        if let Some(known) = self.authorities.get(at.value.as_str()) {
            return known.clone();
        }
        let parsed = Authorities::parse(pem.expose());
        let authorities = match parsed {
            Ok(authorities) => Some(Arc::new(authorities)),
            Err(message) => {
                let key = format!("backends.{}.ca_cert_path", linked.backend.name);
                self.problems.error(Some(&at.place), key, message);
                None
            }
        };
        self.authorities.insert(&at.value, authorities.clone());
        authorities
    }

    fn pipeline(&mut self, linked: &'a LinkedPipeline) -> Arc<PipelinePlan> {
        Arc::new(PipelinePlan {
            name: Arc::from(linked.pipeline.name.as_str()),
            unserved: linked.unserved.clone(),
            upstream: self.upstream(linked),
        })
    }

    fn upstream(&mut self, linked: &'a LinkedPipeline) -> Upstream {
        let Some(backend) = &linked.backend else { return Upstream::None };
        let location = match &backend.destination {
            Destination::Echo => return Upstream::Echo,
            Destination::Application => return Upstream::Application,
            Destination::Unserved => return Upstream::None,
            Destination::Resource(reference) => Location::Resource(self.target(reference)),
            Destination::Url(url) => match BaseUrl::new(url) {
                Ok(base) => Location::Url(base),
                Err(message) => {
                    let key = format!("backends.{}", backend.backend.name);
                    self.problems.error(Some(&backend.backend.place), key, message);
                    return Upstream::None;
                }
            },
        };
        let pipeline = &linked.pipeline.name;
        let belongs = |mesh: &LinkedMesh| {
            let named = |name: &str| mesh.egress.iter().any(|(p, egress)| p == pipeline && egress == name);
            linked.egress.iter().any(|egress| named(&egress.name))
        };
        let (own, others): (Vec<_>, Vec<_>) = self.meshes.iter().partition(|(mesh, _)| belongs(mesh));
        let plans = |meshes: Vec<&(&LinkedMesh, Arc<MeshPlan>)>| {
            meshes.into_iter().map(|(_, plan)| Arc::clone(plan)).collect::<Vec<_>>()
        };
        let (egress, mut other_meshes) = (plans(own), plans(others));
        other_meshes.retain(|mesh| mesh.has_destinations());
        let authorities = self.authorities(backend);
        Upstream::Http(Box::new(HttpUpstream {
            backend: Arc::from(backend.backend.name.as_str()),
            location,
            authorities,
            timeout: backend.timing.timeout(),
            max_retries: backend.timing.max_retries(),
            egress,
            other_meshes,
            mesh_only: linked.egress.iter().any(|egress| egress.mode == Mode::Mesh),
        }))
    }

    /// Returns the meshes that the ingress called `name` of a pipeline belongs to.
    fn meshes_of(&self, pipeline: &str, name: &str) -> Vec<Arc<MeshPlan>> {
        let belongs = |mesh: &LinkedMesh| mesh.ingress.iter().any(|(p, i)| p == pipeline && i == name);
        self.meshes.iter().filter(|(mesh, _)| belongs(mesh)).map(|(_, plan)| Arc::clone(plan)).collect()
    }

    /// Adds the routes of a pipeline to the tables of its networks.
    fn routes(&mut self, linked: &LinkedPipeline, plan: &Arc<PipelinePlan>, tables: &mut Tables) {
        let guard = self.guard(linked);
        for network in &linked.pipeline.networks {
            let Some(table) = tables.get_mut(network.value.as_str()) else { continue };
            for ingress in &linked.ingress {
                self.ingress_routes(ingress, linked, plan, table);
            }
            for endpoint in &linked.endpoints {
                endpoint_route(endpoint, linked, &guard, plan, table);
            }
        }
    }

    /// Builds the rules for requests that reach the endpoints of a pipeline by path.
    ///
    /// Such a request must satisfy the strictest ingress of the endpoint. Otherwise a client could get around
    /// `mode = "mesh"` with another Host header.
    fn guard<'l>(&mut self, linked: &'l LinkedPipeline) -> Guard<'l> {
        let pipeline = linked.pipeline.name.as_str();
        let mut guard = Guard::default();
        for ingress in &linked.ingress {
            let meshes = self.meshes_of(pipeline, &ingress.name);
            let admission = guard.direct.entry(ingress.endpoint.name.as_str()).or_default();
            admission.required |= ingress.mode == Mode::Mesh;
            join(&mut admission.meshes, &meshes);
            join(&mut guard.meshes, &meshes);
            if ingress.mode == Mode::Mesh && meshes.is_empty() {
                let message = "this ingress has `mode = \"mesh\"` and belongs to no enabled mesh: every request is refused";
                let place = linked.pipeline.ingress.iter().find(|i| i.name == ingress.name).map(|i| &i.place);
                let key = format!("pipelines.{pipeline}.mesh.ingress.{}", ingress.name);
                self.problems.warn(place, key, message).help("name it in the `ingress` list of a mesh");
            }
        }
        // Disabling a mesh-only ingress must not open its endpoint to everybody: mesh context stays required.
        for off in linked.pipeline.ingress.iter().filter(|i| !i.enabled && i.mode == Mode::Mesh) {
            let first = linked.endpoints.first().map(|endpoint| endpoint.name.as_str());
            if let Some(endpoint) = off.endpoint.as_ref().map(|at| at.value.as_str()).or(first) {
                guard.direct.entry(endpoint).or_default().required = true;
            }
        }
        if linked.mesh_auth == Some(true) && guard.meshes.is_empty() {
            let message = "mesh_auth is required and no ingress of this pipeline belongs to an enabled mesh: every request is refused";
            self.problems.warn(Some(&linked.pipeline.place), format!("pipelines.{pipeline}"), message);
        }
        guard
    }

    /// Adds a route for each URL of an ingress.
    fn ingress_routes(
        &self,
        ingress: &LinkedIngress,
        linked: &LinkedPipeline,
        plan: &Arc<PipelinePlan>,
        table: &mut RouteTable<Route>,
    ) {
        let meshes = self.meshes_of(&linked.pipeline.name, &ingress.name);
        let required = linked.mesh_auth == Some(true) || ingress.mode == Mode::Mesh;
        let admission = Admission { meshes, required };
        let prefix = prefix(ingress.endpoint.path_prefix.as_ref().map(|at| at.value.as_str()));
        for url in &ingress.urls {
            let route = Route {
                pipeline: Arc::clone(plan),
                endpoint: Arc::from(ingress.endpoint.name.as_str()),
                endpoint_prefix: Arc::clone(&prefix),
                ingress: Some(Arc::from(ingress.name.as_str())),
                closed: linked.closed.get(&ingress.endpoint.name).map(|reason| Arc::from(reason.as_str())),
                admission: admission.clone(),
            };
            table.add_ingress(&url.value, route);
        }
    }
}

/// The rules for requests that reach the endpoints of a pipeline by path.
#[derive(Default)]
struct Guard<'a> {
    /// The rule of each endpoint that has an ingress.
    direct: HashMap<&'a str, Admission>,
    /// The meshes of all ingresses of the pipeline.
    meshes: Vec<Arc<MeshPlan>>,
}

/// Adds the route of an endpoint's path. Endpoints with the same path share the strictest rule.
fn endpoint_route(
    endpoint: &Endpoint,
    linked: &LinkedPipeline,
    guard: &Guard<'_>,
    plan: &Arc<PipelinePlan>,
    table: &mut RouteTable<Route>,
) {
    let Some(path) = &endpoint.path_prefix else { return };
    let mut admission = Admission::default();
    let mut closed = None;
    for same in linked.endpoints.iter().filter(|other| same_path(other, endpoint)) {
        closed = closed.or_else(|| linked.closed.get(&same.name));
        if let Some(theirs) = guard.direct.get(same.name.as_str()) {
            admission.required |= theirs.required;
            join(&mut admission.meshes, &theirs.meshes);
        }
    }
    if let Some(required) = linked.mesh_auth {
        join(&mut admission.meshes, &guard.meshes);
        admission.required |= required;
    }
    let prefix = prefix(Some(&path.value));
    let route = Route {
        pipeline: Arc::clone(plan),
        endpoint: Arc::from(endpoint.name.as_str()),
        endpoint_prefix: Arc::clone(&prefix),
        ingress: None,
        closed: closed.map(|reason| Arc::from(reason.as_str())),
        admission,
    };
    table.add_endpoint(&prefix, route);
}

/// Returns true when both endpoints have the same path.
fn same_path(a: &Endpoint, b: &Endpoint) -> bool {
    let path =
        |endpoint: &Endpoint| endpoint.path_prefix.as_ref().and_then(|at| owned_segments(&at.value).ok());
    path(a) == path(b)
}

fn join(into: &mut Vec<Arc<MeshPlan>>, more: &[Arc<MeshPlan>]) {
    for mesh in more {
        if !into.iter().any(|known| Arc::ptr_eq(known, mesh)) {
            into.push(Arc::clone(mesh));
        }
    }
}

/// Splits a path into segments. One with dot segments, which `Config::merge` has rejected, matches nothing.
fn prefix(path: Option<&str>) -> Arc<[String]> {
    path.and_then(|path| owned_segments(path).ok()).unwrap_or_default().into()
}
