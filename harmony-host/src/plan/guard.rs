//! The rules for requests that reach the endpoints of a pipeline by path, and those of its `mesh_auth`.

use std::collections::HashMap;
use std::sync::Arc;

use crate::config::{Endpoint, LinkedPipeline};
use crate::plan::mesh::MeshPlan;
use crate::plan::planned::PlannedRoute;
use crate::plan::route::{Accepted, Admission, PipelinePlan, Route};
use crate::plan::traffic::RouteCounters;

/// The rules for requests that reach the endpoints of a pipeline by path.
#[derive(Default)]
pub(super) struct Guard<'a> {
    /// The rule of each endpoint that has an ingress.
    pub(super) direct: HashMap<&'a str, Admission>,
    /// The meshes of all ingresses of the pipeline, with the URLs of these ingresses.
    pub(super) meshes: Vec<Accepted>,
    /// The rule of its `mesh_auth`.
    pub(super) auth: Option<Auth>,
}

/// The rule of the `mesh_auth` of a pipeline.
pub(super) struct Auth {
    /// Set when a request without a token is refused.
    pub(super) required: bool,
    /// Set when the tokens are those of the meshes that the pipeline belongs to.
    pub(super) own: bool,
    /// The enabled meshes that are chosen by name or id, with the URLs of the pipeline's ingresses; `None` without a choice.
    pub(super) chosen: Option<Vec<Accepted>>,
}

impl Auth {
    /// Adds this rule to that of a route. `own` are further meshes of the pipeline, for a route that any of them may use.
    pub(super) fn restrict(&self, admission: &mut Admission, own: &[Accepted]) {
        let by_mode = admission.required;
        if self.own {
            add_other(&mut admission.meshes, own);
        }
        if let Some(chosen) = &self.chosen {
            match (self.required, by_mode) {
                // A token must satisfy both.
                (true, _) if by_mode || self.own => {
                    admission.meshes.retain(|mesh| chosen.iter().any(|one| one.is(&mesh.mesh)));
                }
                (true, _) => admission.meshes.clone_from(chosen),
                // The tokens of other meshes do not satisfy the mode.
                (false, true) => {}
                (false, false) => add_other(&mut admission.meshes, chosen),
            }
        }
        admission.required |= self.required;
    }
}

/// Groups the endpoints of a pipeline that have a path by it. The groups, and the endpoints in each, are in the order of the
/// pipeline.
pub(super) fn by_path(linked: &LinkedPipeline) -> Vec<(Arc<[String]>, Vec<&Endpoint>)> {
    let mut positions: HashMap<Arc<[String]>, usize> = HashMap::new();
    let mut groups: Vec<(Arc<[String]>, Vec<&Endpoint>)> = Vec::new();
    for endpoint in &linked.endpoints {
        let Some(path) = endpoint.segments.clone() else { continue };
        let position = *positions.entry(Arc::clone(&path)).or_insert(groups.len());
        match groups.get_mut(position) {
            Some((_, group)) => group.push(endpoint),
            None => groups.push((path, vec![endpoint])),
        }
    }
    groups
}

/// Returns the route of a path. The endpoints that have it share the strictest rule; the first of them names the route.
pub(super) fn endpoint_route(
    (prefix, endpoints): &(Arc<[String]>, Vec<&Endpoint>),
    (linked, counters): (&LinkedPipeline, &mut RouteCounters<'_>),
    guard: &Guard<'_>,
    plan: &Arc<PipelinePlan>,
) -> Option<PlannedRoute> {
    let first = endpoints.first()?;
    let mut admission = Admission::default();
    let mut closed = None;
    for same in endpoints {
        closed = closed.or_else(|| linked.closed.get(&same.name));
        if let Some(theirs) = guard.direct.get(same.name.as_str()) {
            admission.required |= theirs.required;
            accept(&mut admission.meshes, &theirs.meshes);
        }
    }
    if let Some(auth) = &guard.auth {
        auth.restrict(&mut admission, &guard.meshes);
    }
    let route = Route {
        pipeline: Arc::clone(plan),
        endpoint: Arc::from(first.name.as_str()),
        endpoint_prefix: Arc::clone(prefix),
        ingress: None,
        closed: closed.map(|reason| Arc::from(reason.as_str())),
        admission,
        traffic: counters.route(&first.name),
    };
    Some(PlannedRoute::Endpoint(Arc::new(route)))
}

/// Adds meshes; one that is there gets the further URLs.
pub(super) fn accept(into: &mut Vec<Accepted>, more: &[Accepted]) {
    for accepted in more {
        match into.iter_mut().find(|known| known.is(&accepted.mesh)) {
            Some(known) => Arc::make_mut(&mut known.urls).extend(accepted.urls.iter().cloned()),
            None => into.push(accepted.clone()),
        }
    }
}

/// Adds the meshes that are not there. One that is there keeps its URLs: a token for the ingress of another endpoint is
/// none for this one.
fn add_other(into: &mut Vec<Accepted>, more: &[Accepted]) {
    for accepted in more {
        if !into.iter().any(|known| known.is(&accepted.mesh)) {
            into.push(accepted.clone());
        }
    }
}

/// Adds the meshes that are not there.
pub(super) fn join(into: &mut Vec<Arc<MeshPlan>>, more: &[Arc<MeshPlan>]) {
    for mesh in more {
        if !into.iter().any(|known| Arc::ptr_eq(known, mesh)) {
            into.push(Arc::clone(mesh));
        }
    }
}
