//! Planning of pipelines: their upstreams, and the routes and rules of the requests that reach them.

use std::collections::{BTreeSet, HashMap};
use std::mem;
use std::sync::Arc;

use provider_api::{Mode, Reference};

use crate::config::{
    Config, Destination, LinkedBackend, LinkedIngress, LinkedMesh, LinkedPipeline, TokenRule,
};
use crate::diagnostics::problem::Problems;
use crate::documents::Documents;
use crate::plan::authorities::Authorities;
use crate::plan::base_url::BaseUrl;
use crate::plan::guard::{Auth, Guard, accept, by_path, endpoint_route, join};
use crate::plan::mesh::MeshPlan;
use crate::plan::planned::{PlannedPipeline, PlannedRoute};
use crate::plan::plans::Plans;
use crate::plan::route::{Accepted, Admission, PipelinePlan, Route, Tables};
use crate::plan::target::Target;
use crate::plan::traffic::RouteCounters;
use crate::plan::upstream::{HttpUpstream, Location, Upstream};
use crate::providers::resolutions::ProviderResolutions;

/// Makes the plans of pipelines.
pub(super) struct Planner<'a> {
    pub(super) sender: Arc<str>,
    /// The plans of the previous snapshot, if its primary provider is asked under the same terms.
    pub(super) before: Option<&'a Plans>,
    /// The plans of the previous snapshot under whatever terms: their counters go on.
    pub(super) former: Option<&'a Plans>,
    /// The cached resolutions of the primary provider: the only one that is not local.
    pub(super) resolutions: ProviderResolutions,
    /// One target per reference, shared by all backends that use it: one fetch serves them all.
    pub(super) targets: HashMap<Reference, Arc<Target>>,
    pub(super) meshes: Vec<(&'a LinkedMesh, Arc<MeshPlan>)>,
    /// The positions of the meshes of each ingress, by (pipeline, ingress).
    pub(super) of_ingress: HashMap<(&'a str, &'a str), Vec<usize>>,
    /// The positions of the meshes of each egress, by (pipeline, egress).
    pub(super) of_egress: HashMap<(&'a str, &'a str), Vec<usize>>,
    pub(super) documents: &'a Documents,
    /// The certificate authorities of backends, by file.
    pub(super) authorities: HashMap<&'a str, Option<Arc<Authorities>>>,
    /// Those of the pipeline that is being planned.
    pub(super) problems: Problems,
}

impl<'a> Planner<'a> {
    /// Plans a mesh. `before` is its plan in the previous snapshot, if its tokens are as good in this one.
    pub(super) fn mesh(&mut self, linked: &'a LinkedMesh, before: Option<&Arc<MeshPlan>>) {
        let sender = Arc::clone(&self.sender);
        let plan = MeshPlan::new(linked, &sender, |reference| self.target(reference), before);
        let position = self.meshes.len();
        for (pipeline, ingress) in &linked.ingress {
            self.of_ingress.entry((pipeline, ingress)).or_default().push(position);
        }
        for (pipeline, egress) in &linked.egress {
            self.of_egress.entry((pipeline, egress)).or_default().push(position);
        }
        self.meshes.push((linked, plan));
    }

    /// Returns true if the plan of a pipeline that is linked to the same definitions is as good as a new one. The meshes, the
    /// networks and the terms are the same.
    pub(super) fn keeps(&mut self, planned: &PlannedPipeline, now: &Documents, before: &Documents) -> bool {
        if planned.needs_nothing {
            return true;
        }
        let ca_cert = planned.linked.backend.as_ref().and_then(|backend| backend.ca_cert.as_ref());
        if ca_cert.is_some_and(|file| !now.has_same_pem(&file.value, before)) {
            return false;
        }
        match planned.plan.upstream.target() {
            // A local resource may be another one.
            Some(target) if target.reference.provider().is_local() => false,
            Some(target) => Arc::ptr_eq(&self.target(&target.reference), target),
            None => true,
        }
    }

    /// Plans all pipelines except those with a plan in `kept`, and adds their routes to `tables`.
    pub(super) fn pipelines(
        &mut self,
        config: &'a Config,
        kept: Vec<Option<&Arc<PlannedPipeline>>>,
        mut tables: Tables,
    ) -> (Tables, Vec<Arc<PlannedPipeline>>) {
        let planned = config.pipelines.iter().zip(kept).map(|(linked, kept)| {
            kept.map(Arc::clone).unwrap_or_else(|| {
                let planned = self.planned(linked);
                planned.enter(&mut tables);
                Arc::new(planned)
            })
        });
        let planned = planned.collect();
        (tables, planned)
    }

    fn planned(&mut self, linked: &'a Arc<LinkedPipeline>) -> PlannedPipeline {
        let networks = linked.pipeline.networks.iter().map(|network| network.value.as_str());
        let mut counters = RouteCounters::of(&linked.pipeline.name, networks, self.former);
        let plan = self.pipeline(linked, &counters);
        let guard = self.guard(linked);
        let mut routes = Vec::new();
        for ingress in &linked.ingress {
            self.ingress_routes(ingress, (linked, &mut counters), &guard, &plan, &mut routes);
        }
        let paths = by_path(linked);
        routes.extend(
            paths.iter().filter_map(|path| endpoint_route(path, (linked, &mut counters), &guard, &plan)),
        );
        let needs_nothing = plan.upstream.target().is_none()
            && linked.backend.as_ref().is_none_or(|one| one.ca_cert.is_none());
        let (linked, problems) = (Arc::clone(linked), mem::take(&mut self.problems));
        PlannedPipeline { linked, plan, routes: routes.into(), needs_nothing, problems }
    }

    fn target(&mut self, reference: &Reference) -> Arc<Target> {
        let (before, resolutions) = (self.before, &self.resolutions);
        let target = self.targets.entry(reference.clone());
        Arc::clone(target.or_insert_with(|| {
            let carried = before.and_then(|before| before.remote_target(reference));
            carried.unwrap_or_else(|| Arc::new(Target::new(reference.clone(), resolutions)))
        }))
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

    fn pipeline(&mut self, linked: &'a LinkedPipeline, counters: &RouteCounters<'_>) -> Arc<PipelinePlan> {
        Arc::new(PipelinePlan {
            name: Arc::from(linked.pipeline.name.as_str()),
            unserved: linked.unserved.clone(),
            upstream: self.upstream(linked),
            traffic: Arc::clone(&counters.pipeline),
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
        let (egress, other_meshes) = self.meshes_of_upstream(linked);
        let authorities = self.authorities(backend);
        let rule = linked.egress_auth.as_ref();
        if rule.is_some_and(|rule| rule.required) {
            let all = || egress.iter().chain(&other_meshes);
            let reaches = |base: &BaseUrl| all().any(|mesh| mesh.may_reach(&base.prefix));
            let possible = match &location {
                Location::Url(base) => reaches(base),
                Location::Resource(_) => all().next().is_some(),
            };
            if !possible {
                let message = format!(
                    "mesh_auth requires a token for every request that leaves, and no enabled mesh has the destination of backend `{}`: every request is refused",
                    backend.backend.name
                );
                let key = format!("pipelines.{}", linked.pipeline.name);
                self.problems.warn(Some(&linked.pipeline.place), key, message);
            }
        }
        Upstream::Http(Box::new(HttpUpstream {
            backend: Arc::from(backend.backend.name.as_str()),
            location,
            authorities,
            timeout: backend.timing.timeout(),
            max_retries: backend.timing.max_retries(),
            upgrades: backend.backend.upgrades.clone(),
            egress,
            other_meshes,
            mesh_only: linked.mesh_only,
            token_only: rule.is_some_and(|rule| rule.required),
            only_below: rule.map_or_else(Vec::new, |rule| rule.destinations.clone()),
        }))
    }

    /// Returns the meshes that the egresses of a pipeline belong to, and the others that have destinations, as far as its
    /// `mesh_auth` accepts their tokens.
    fn meshes_of_upstream(&self, linked: &LinkedPipeline) -> (Vec<Arc<MeshPlan>>, Vec<Arc<MeshPlan>>) {
        let pipeline = linked.pipeline.name.as_str();
        let mut belongs = BTreeSet::new();
        for egress in &linked.egress {
            belongs
                .extend(self.of_egress.get(&(pipeline, egress.name.as_str())).into_iter().flatten().copied());
        }
        let numbered = self.meshes.iter().enumerate();
        let (own, others): (Vec<_>, Vec<_>) = numbered.partition(|(position, _)| belongs.contains(position));
        let plans = |meshes: Vec<(usize, &(&LinkedMesh, Arc<MeshPlan>))>| {
            meshes.into_iter().map(|(_, (_, plan))| Arc::clone(plan)).collect::<Vec<_>>()
        };
        let (mut own, mut others) = (plans(own), plans(others));
        others.retain(|mesh| mesh.has_destinations());
        let rule = linked.egress_auth.as_ref();
        let Some((rule, mut chosen)) = rule.and_then(|rule| Some((rule, self.chosen(rule)?))) else {
            return (own, others);
        };
        let is_chosen = |mesh: &Arc<MeshPlan>| chosen.iter().any(|one| Arc::ptr_eq(one, mesh));
        match (rule.required, rule.own) {
            (true, true) => {
                own.retain(is_chosen);
                others.retain(is_chosen);
                (own, others)
            }
            (true, false) => (chosen, Vec::new()),
            (false, _) => {
                others.retain(|mesh| !is_chosen(mesh));
                join(&mut chosen, &own);
                (chosen, others)
            }
        }
    }

    /// Returns the enabled meshes that a `mesh_auth` chooses by name or id.
    fn chosen(&self, rule: &TokenRule) -> Option<Vec<Arc<MeshPlan>>> {
        let named = rule.named.as_ref()?;
        let chosen = self.meshes.iter().filter(|(mesh, _)| named.contains(&mesh.mesh.name));
        Some(chosen.map(|(_, plan)| Arc::clone(plan)).collect())
    }

    /// Returns the meshes that an ingress of a pipeline belongs to, with its URLs.
    fn meshes_of(&self, pipeline: &str, ingress: &LinkedIngress) -> Vec<Accepted> {
        let positions = self.of_ingress.get(&(pipeline, ingress.name.as_str()));
        let mut positions = positions.cloned().unwrap_or_default();
        positions.dedup();
        let meshes = positions.into_iter().filter_map(|position| self.meshes.get(position));
        meshes.map(|(_, mesh)| Accepted::new(mesh, ingress.urls.iter().map(|at| &at.value))).collect()
    }

    /// Returns true for a mesh whose tokens all name the URL that they are for.
    fn has_audience(&self, plan: &Arc<MeshPlan>) -> bool {
        let linked = self.meshes.iter().find(|(_, mesh)| Arc::ptr_eq(mesh, plan));
        linked.is_some_and(|(mesh, _)| !mesh.provider.is_local() || mesh.mesh.token_audience.is_some())
    }

    /// Adds the URLs to the meshes that a `mesh_auth` chooses: those of the pipeline's ingresses that belong to the mesh,
    /// else those of all its ingresses.
    fn accepted(chosen: &[Arc<MeshPlan>], linked: &LinkedPipeline, own: &[Accepted]) -> Vec<Accepted> {
        let all = linked.ingress.iter().flat_map(|ingress| &ingress.urls).map(|at| &at.value);
        let member = |mesh: &Arc<MeshPlan>| own.iter().find(|one| one.is(mesh)).cloned();
        let accepted =
            |mesh: &Arc<MeshPlan>| member(mesh).unwrap_or_else(|| Accepted::new(mesh, all.clone()));
        chosen.iter().map(accepted).collect()
    }

    /// Builds the rules for requests that reach the endpoints of a pipeline by path.
    ///
    /// Such a request must satisfy the strictest ingress of the endpoint. Otherwise a client could get around
    /// `mode = "mesh"` with another Host header.
    fn guard<'l>(&mut self, linked: &'l LinkedPipeline) -> Guard<'l> {
        let pipeline = linked.pipeline.name.as_str();
        let mut guard = Guard::default();
        for ingress in &linked.ingress {
            let meshes = self.meshes_of(pipeline, ingress);
            let admission = guard.direct.entry(ingress.endpoint.name.as_str()).or_default();
            admission.required |= ingress.mode == Mode::Mesh;
            accept(&mut admission.meshes, &meshes);
            accept(&mut guard.meshes, &meshes);
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
        if let Some(rule) = &linked.ingress_auth {
            let chosen = self.chosen(rule).map(|chosen| Self::accepted(&chosen, linked, &guard.meshes));
            let has_own = !rule.own || !guard.meshes.is_empty();
            if rule.required && !(has_own && chosen.as_ref().is_none_or(|chosen| !chosen.is_empty())) {
                let message = "mesh_auth is required and no ingress of this pipeline belongs to an enabled mesh whose tokens it accepts: every request is refused";
                self.problems.warn(Some(&linked.pipeline.place), format!("pipelines.{pipeline}"), message);
            }
            if linked.ingress.is_empty() && chosen.iter().flatten().any(|one| self.has_audience(&one.mesh)) {
                let message = "this pipeline has no ingress, so no URL that the tokens of the mesh of its mesh_auth may be for: they are refused";
                let key = format!("pipelines.{pipeline}");
                self.problems
                    .warn(Some(&linked.pipeline.place), key, message)
                    .help("add an ingress with the URL that senders use");
            }
            guard.auth = Some(Auth { required: rule.required, own: rule.own, chosen });
        }
        guard
    }

    /// Adds a route for each URL of an ingress to `routes`.
    fn ingress_routes(
        &self,
        ingress: &LinkedIngress,
        (linked, counters): (&LinkedPipeline, &mut RouteCounters<'_>),
        guard: &Guard<'_>,
        plan: &Arc<PipelinePlan>,
        routes: &mut Vec<PlannedRoute>,
    ) {
        let meshes = self.meshes_of(&linked.pipeline.name, ingress);
        let mut admission = Admission { meshes, required: ingress.mode == Mode::Mesh };
        if let Some(auth) = &guard.auth {
            auth.restrict(&mut admission, &[]);
        }
        let prefix = ingress.endpoint.segments.clone().unwrap_or_default();
        for url in &ingress.urls {
            let only: Arc<Vec<Arc<str>>> = Arc::new(vec![Arc::from(url.value.as_str())]);
            for accepted in &mut admission.meshes {
                accepted.urls = Arc::clone(&only);
            }
            let route = Route {
                pipeline: Arc::clone(plan),
                endpoint: Arc::from(ingress.endpoint.name.as_str()),
                endpoint_prefix: Arc::clone(&prefix),
                ingress: Some(Arc::from(ingress.name.as_str())),
                closed: linked.closed.get(&ingress.endpoint.name).map(|reason| Arc::from(reason.as_str())),
                admission: admission.clone(),
                traffic: counters.route(&ingress.name),
            };
            routes.push(PlannedRoute::Ingress(Box::new(url.value.clone()), Arc::new(route)));
        }
    }
}
