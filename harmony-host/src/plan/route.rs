//! Routes and their admission rules.

use std::sync::Arc;

use crate::plan::mesh::MeshPlan;
use crate::plan::route_table::RouteTable;
use crate::plan::upstream::Upstream;

/// The routes of every network.
pub(crate) type Tables = std::collections::HashMap<Arc<str>, RouteTable<Route>>;

/// The route of the requests that match an ingress URL or an endpoint path.
#[derive(Debug)]
pub(crate) struct Route {
    pub(crate) pipeline: Arc<PipelinePlan>,
    /// The endpoint's name.
    pub(crate) endpoint: Arc<str>,
    /// The endpoint's path; stripped before a request is forwarded.
    pub(crate) endpoint_prefix: Arc<[String]>,
    /// The ingress whose URL matched.
    pub(crate) ingress: Option<Arc<str>>,
    /// The reason for which no request may pass now.
    pub(crate) closed: Option<Arc<str>>,
    pub(crate) admission: Admission,
}

/// The admission rule of a route: the meshes whose tokens it accepts, and if one is required.
#[derive(Clone, Debug, Default)]
pub(crate) struct Admission {
    /// The meshes whose tokens give mesh context.
    pub(crate) meshes: Vec<Arc<MeshPlan>>,
    /// Set when a request without mesh context is refused.
    pub(crate) required: bool,
}

/// The plan of a pipeline.
#[derive(Debug)]
pub(crate) struct PipelinePlan {
    pub(crate) name: Arc<str>,
    /// The feature that this host lacks for it: every request is answered 501.
    pub(crate) unserved: Option<String>,
    pub(crate) upstream: Upstream,
}
