//! Routes and their admission rules.

use std::sync::Arc;

use crate::http::url_prefix::UrlPrefix;
use crate::metrics::{PipelineTraffic, RouteTraffic};
use crate::plan::mesh::MeshPlan;
use crate::plan::route_table::RouteTable;
use crate::plan::upstream::Upstream;

/// The routes of every network.
pub(crate) type Tables = std::collections::HashMap<Arc<str>, RouteTable<Arc<Route>>>;

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
    /// Its counters, one for each network of the pipeline.
    pub(crate) traffic: Box<[Arc<RouteTraffic>]>,
}

/// The admission rule of a route: the meshes whose tokens it accepts, and if one is required.
#[derive(Clone, Debug, Default)]
pub(crate) struct Admission {
    /// The meshes whose tokens give mesh context.
    pub(crate) meshes: Vec<Accepted>,
    /// Set when a request without mesh context is refused.
    pub(crate) required: bool,
}

/// A mesh whose tokens a route accepts, and the ingress URLs that the tokens may be for.
///
/// They are URLs of the configuration. The Host header says nothing about the gateway that a token was issued for: a
/// client that holds the token of another member would send that member's host.
#[derive(Clone, Debug)]
pub(crate) struct Accepted {
    pub(crate) mesh: Arc<MeshPlan>,
    /// At least one; shared by the routes that accept the same ones. An empty one is below no audience; it is there if the pipeline has no ingress.
    pub(crate) urls: Arc<Vec<Arc<str>>>,
}

impl Accepted {
    /// Combines a mesh with the URLs of ingresses.
    pub(crate) fn new<'u>(mesh: &Arc<MeshPlan>, urls: impl Iterator<Item = &'u UrlPrefix>) -> Self {
        let mut urls: Vec<Arc<str>> = urls.map(|url| Arc::from(url.as_str())).collect();
        if urls.is_empty() {
            urls.push(Arc::from(""));
        }
        Self { mesh: Arc::clone(mesh), urls: Arc::new(urls) }
    }

    /// Returns true for the same mesh.
    pub(crate) fn is(&self, mesh: &Arc<MeshPlan>) -> bool {
        Arc::ptr_eq(&self.mesh, mesh)
    }
}

/// The plan of a pipeline.
#[derive(Debug)]
pub(crate) struct PipelinePlan {
    pub(crate) name: Arc<str>,
    /// The feature that this host lacks for it: every request is answered 501.
    pub(crate) unserved: Option<String>,
    pub(crate) upstream: Upstream,
    pub(crate) traffic: Arc<PipelineTraffic>,
}
