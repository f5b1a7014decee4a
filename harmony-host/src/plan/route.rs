//! Routes and what they need to be admitted.

use std::sync::Arc;

use crate::plan::mesh::MeshPlan;
use crate::plan::route_table::RouteTable;
use crate::plan::upstream::Upstream;

/// The routes of every network.
pub(crate) type Tables = std::collections::HashMap<Arc<str>, RouteTable<Route>>;

/// Where a request goes that matched.
#[derive(Debug)]
pub(crate) struct Route {
    pub(crate) pipeline: Arc<PipelinePlan>,
    /// The endpoint's name.
    pub(crate) endpoint: Arc<str>,
    /// The endpoint's path; taken off before a request is forwarded.
    pub(crate) endpoint_prefix: Arc<[String]>,
    /// The ingress whose URL matched.
    pub(crate) ingress: Option<Arc<str>>,
    pub(crate) admission: Admission,
}

/// Which mesh tokens are looked at, and whether one is needed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Admission {
    /// The meshes whose tokens give mesh context.
    pub(crate) meshes: Vec<Arc<MeshPlan>>,
    /// Whether a request without mesh context is refused.
    pub(crate) required: bool,
}

/// What happens to the requests of a pipeline.
#[derive(Debug)]
pub(crate) struct PipelinePlan {
    pub(crate) name: Arc<str>,
    /// What this host lacks for it: the pipeline answers 501.
    pub(crate) unserved: Option<String>,
    pub(crate) upstream: Upstream,
}
